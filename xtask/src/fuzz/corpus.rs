//! Where a target's inputs are: those that are checked in, and what a run makes.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;
use crate::workspace::Workspace;

/// The inputs of one target. A run writes nothing to those that are checked in.
#[derive(Debug)]
pub(super) struct Corpus {
    checked_in: PathBuf,
    work: PathBuf,
}

impl Corpus {
    /// The inputs of `target`; what the last run made is gone, but for inputs that failed.
    ///
    /// # Errors
    /// [`Error::Content`] when nothing is checked in: a fuzzer that begins with nothing gets nowhere in its time.
    pub(super) fn of(workspace: &Workspace, target: &str) -> Result<Self, Error> {
        let corpus = Self {
            checked_in: workspace.fuzz_sources().join("corpus").join(target),
            work: workspace.fuzz().join("work").join(target),
        };
        if !corpus.checked_in.read_dir().is_ok_and(|mut inputs| inputs.next().is_some()) {
            return Err(Error::Content { directory: corpus.checked_in, what: "inputs to begin with".into() });
        }
        renew(&corpus.found())?;
        Ok(corpus)
    }

    pub(super) fn checked_in(&self) -> &Path {
        &self.checked_in
    }

    /// Inputs that reached something new.
    pub(super) fn found(&self) -> PathBuf {
        self.work.join("found")
    }

    /// Inputs that made the target fail.
    pub(super) fn failures(&self) -> PathBuf {
        self.work.join("failures")
    }

    /// What the fuzzer wrote.
    pub(super) fn log(&self) -> PathBuf {
        self.work.join("log")
    }

    /// An empty directory for a smaller corpus.
    pub(super) fn merged(&self) -> Result<PathBuf, Error> {
        let merged = self.work.join("merged");
        renew(&merged)?;
        Ok(merged)
    }

    /// Checks in the inputs of `directory` and no others.
    pub(super) fn replace(&self, directory: &Path) -> Result<(), Error> {
        renew(&self.checked_in)?;
        let read = Error::file("cannot read", directory);
        for input in fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(read)? {
            let place = self.checked_in.join(input.file_name());
            fs::copy(input.path(), &place).map_err(Error::file("cannot write", &place))?;
        }
        Ok(())
    }
}

/// A directory for the files that targets make for every input: in memory where the system has a place there, because on
/// a disk they would take most of the time. What a target that failed left in it goes with it.
pub(super) fn scratch() -> Result<TempDir, Error> {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::tempdir_in(&place).map_err(Error::file("cannot make a directory in", &place))
}

/// Makes `directory` anew, empty.
fn renew(directory: &Path) -> Result<(), Error> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(Error::file("cannot remove", directory))?;
    }
    fs::create_dir_all(directory).map_err(Error::file("cannot make", directory))
}
