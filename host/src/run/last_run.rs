//! What is remembered of the last run on each board.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::board::lease::Key;
use crate::board::{Bench, Board};
use crate::event::Outcome;
use crate::fault::{Class, Fault};
use crate::run::cache_directory;

/// Largest record that is believed to be one, in bytes.
const MAX_RECORD: u64 = 64 << 10;

/// Ending of the record of the last run that ended.
const ENDED: &str = "json";
/// Ending of the record of a run that has begun; it stays where the run could not say how it ended.
const BEGUN: &str = "begun.json";

/// The last run on a board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// The directory of its results.
    pub directory: PathBuf,
    /// The job's name.
    pub job: String,
    /// When it began.
    pub started: jiff::Timestamp,
    /// When it ended; `None` if it was cut off.
    pub finished: Option<jiff::Timestamp>,
    /// How it ended; `None` if it was cut off.
    pub outcome: Option<Outcome>,
    /// Whose fault it was, if it did not pass.
    pub class: Option<Class>,
}

impl LastRun {
    /// The last run that ended on `board`, if one is remembered.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved. A record that cannot be read is none.
    pub fn ended(bench: &Bench, board: &Board) -> Result<Option<Self>, Fault> {
        Ok(read(&path(bench, &board.name, ENDED)?))
    }

    /// The run on `board` that has begun and not ended, if one is remembered: it goes on, or was cut off.
    ///
    /// # Errors
    /// As for [`Self::ended`].
    pub fn begun(bench: &Bench, board: &Board) -> Result<Option<Self>, Fault> {
        let begun: Option<Self> = read(&path(bench, &board.name, BEGUN)?);
        let ended = Self::ended(bench, board)?;
        // The record of one that ended may be left where it could not be removed.
        Ok(begun.filter(|begun| ended.is_none_or(|ended| ended.started < begun.started)))
    }
}

/// A run that its boards are to remember.
#[derive(Debug)]
pub struct BegunRun {
    bench: Bench,
    boards: Vec<String>,
    run: LastRun,
}

impl BegunRun {
    /// The run of `job` on `boards`, whose results go to `directory`.
    pub fn new(
        bench: Bench,
        boards: Vec<String>,
        directory: PathBuf,
        job: String,
        started: jiff::Timestamp,
    ) -> Self {
        let run = LastRun { directory, job, started, finished: None, outcome: None, class: None };
        Self { bench, boards, run }
    }

    /// Remembers for each board that the run has begun: whatever happens to this process, that is known.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(&self) -> Result<(), Fault> {
        self.write(BEGUN)
    }

    /// Remembers how it ended; `class` is that of the fault that decided it, if it did not pass.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end(mut self, class: Option<Class>) -> Result<(), Fault> {
        self.run.finished = Some(jiff::Timestamp::now());
        self.run.outcome = Some(Outcome::of_class(class));
        self.run.class = class;
        let written = self.write(ENDED);
        let removed = for_each(&self.boards, |board| {
            let path = path(&self.bench, board, BEGUN)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(&path, &error)),
                _ => Ok(()),
            }
        });
        written.and(removed)
    }

    fn write(&self, what: &str) -> Result<(), Fault> {
        let text = serde_json::to_vec(&self.run)
            .map_err(|error| Fault::new(Class::Bug, "last run", error.to_string()))?;
        for_each(&self.boards, |board| {
            let path = path(&self.bench, board, what)?;
            let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
                // In one go, whoever reads it.
                let new = path.with_extension(format!("{}.new", std::process::id()));
                fs::write(&new, &text).and_then(|()| fs::rename(&new, &path))
            });
            written.map_err(|error| unwritten(&path, &error))
        })
    }
}

/// Does `work` for every board, also behind one for which it fails; the first error.
fn for_each(boards: &[String], work: impl FnMut(&String) -> Result<(), Fault>) -> Result<(), Fault> {
    boards.iter().map(work).fold(Ok(()), Result::and)
}

fn unwritten(path: &Path, error: &io::Error) -> Fault {
    Fault::from_error(Class::Infrastructure, path.display().to_string(), error)
}

fn read(path: &Path) -> Option<LastRun> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_RECORD).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The record of `board` of what has begun or ended.
fn path(bench: &Bench, board: &str, what: &str) -> Result<PathBuf, Fault> {
    let failed = |error: io::Error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error);
    let key = Key::board(&bench.path, board).map_err(failed)?;
    Ok(cache_directory(Some(bench))?.join("last").join(key.file_name()).with_extension(what))
}
