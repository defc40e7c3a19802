//! What an import gives: files, and what there is to say about their sources.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::import::draft::Draft;

/// Name of the bench file that an import gives.
pub const BENCH_FILE: &str = "bench.toml";

/// What an import gives.
#[derive(Debug, Default)]
pub struct Imported {
    /// The bench file, and the board types that it names beside it; nothing if no board could be made.
    pub files: Vec<OutputFile>,
    /// What there is to say about each source.
    pub reported: Vec<Reported>,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name, without directories.
    pub name: String,
    /// Its text: TOML.
    pub text: String,
}

/// Problems of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The file, or the text that a template gave.
    pub source: Source,
    /// The problems: errors first, each severity in the order of their places. Not empty.
    pub problems: Vec<Diagnostic>,
}

/// Why an import could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Files are there already.
    #[error("{} {} there already", list(.0), if .0.len() == 1 { "is" } else { "are" })]
    Exists(Vec<PathBuf>),
    /// The system refused.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

impl Imported {
    /// Whether something could not be imported.
    pub fn has_errors(&self) -> bool {
        let mut problems = self.reported.iter().flat_map(|reported| &reported.problems);
        problems.any(|problem| problem.severity == Severity::Error)
    }
}

/// Writes `files` into `directory`, which is made if it is not there. Files that are there stay, unless `force` is given.
///
/// # Errors
/// [`WriteError::Exists`] before anything is written, if a file is there; [`WriteError::Io`] where the system refuses.
pub fn write(files: &[OutputFile], directory: &Path, force: bool) -> Result<(), WriteError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    let paths: Vec<_> = files.iter().map(|file| directory.join(&file.name)).collect();
    let there: Vec<_> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).cloned().collect();
    if !force && !there.is_empty() {
        return Err(WriteError::Exists(there));
    }
    for (file, path) in files.iter().zip(&paths) {
        let mut options = OpenOptions::new();
        let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
        let written = options.write(true).open(path).and_then(|mut out| out.write_all(file.text.as_bytes()));
        written.map_err(io_error(path))?;
    }
    Ok(())
}

/// Puts `[network]` into a bench file, or says in a comment that it is missing.
pub(super) fn network(draft: &mut Draft, address: Option<IpAddr>) -> &'static str {
    match address {
        Some(address) => {
            draft.set(
                &["network", "address"],
                address.to_string(),
                "This PC on the boards' network (--address).",
            );
            ""
        }
        None => {
            "\nMissing: this PC's address on the boards' network, which the source does not have. Without it no board can \
             fetch a kernel. Import with --address ADDRESS, or write it here:\n[network]\naddress = \"192.0.2.1\"\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OutputFile, WriteError, write};

    #[test]
    fn files_that_are_there_stay_unless_forced() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("new/lab");
        let file = |name: &str, text: &str| OutputFile { name: name.to_owned(), text: text.to_owned() };
        write(&[file("bench.toml", "a")], &out, false).unwrap();
        let both = [file("other.toml", "b"), file("bench.toml", "b")];
        let error = write(&both, &out, false).unwrap_err();
        assert!(matches!(&error, WriteError::Exists(there) if there.len() == 1), "{error}");
        assert!(error.to_string().ends_with("bench.toml` is there already"), "{error}");
        assert!(!out.join("other.toml").exists());
        assert_eq!(std::fs::read_to_string(out.join("bench.toml")).unwrap(), "a");
        write(&both, &out, true).unwrap();
        assert_eq!(std::fs::read_to_string(out.join("bench.toml")).unwrap(), "b");
    }
}
