//! What is remembered of the last run on each board.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::board::lease::Key;
use crate::board::{Bench, Board};
use crate::event::Outcome;
use crate::fault::{Class, Fault};
use crate::run::cache_directory;

/// Largest record that is believed to be one, in bytes.
const MAX_RECORD: u64 = 64 << 10;

/// The last run on a board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// The directory of its results.
    pub directory: PathBuf,
    /// The job's name.
    pub job: String,
    /// When it began.
    pub started: jiff::Timestamp,
    /// When it ended.
    pub finished: jiff::Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Whose fault it was, if it did not pass.
    pub class: Option<Class>,
}

impl LastRun {
    /// Remembers it for each of `boards`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn remember<'b>(
        &self,
        bench: &Bench,
        boards: impl IntoIterator<Item = &'b str>,
    ) -> Result<(), Fault> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Fault::new(Class::Bug, "last run", error.to_string()))?;
        for board in boards {
            let path = path(bench, board)?;
            let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
                // In one go, whoever reads it.
                let new = path.with_extension(format!("{}.new", std::process::id()));
                fs::write(&new, &text).and_then(|()| fs::rename(&new, &path))
            });
            written.map_err(|error| {
                Fault::from_error(Class::Infrastructure, path.display().to_string(), &error)
            })?;
        }
        Ok(())
    }

    /// The last run on `board`, if one is remembered.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved. A record that cannot be read is none.
    pub fn of(bench: &Bench, board: &Board) -> Result<Option<Self>, Fault> {
        let mut text = Vec::new();
        let read = File::open(path(bench, &board.name)?)
            .and_then(|file| file.take(MAX_RECORD).read_to_end(&mut text));
        Ok(read.ok().and_then(|_| serde_json::from_slice(&text).ok()))
    }
}

fn path(bench: &Bench, board: &str) -> Result<PathBuf, Fault> {
    let failed = |error: io::Error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error);
    let key = Key::board(&bench.path, board).map_err(failed)?;
    Ok(cache_directory(Some(bench))?.join("last").join(key.file_name()).with_extension("json"))
}
