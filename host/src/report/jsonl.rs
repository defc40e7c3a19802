//! `run.jsonl`: every event, one JSON object a line.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use crate::event::Event;
use crate::report::{Reporter, Results};

/// Longest line that is read back, in bytes: a console chunk in base64 with room to spare.
pub(crate) const MAX_LINE: u64 = 4 << 20;

/// Writes `run.jsonl`.
#[derive(Debug)]
pub struct Jsonl {
    file: BufWriter<File>,
}

impl Jsonl {
    /// Creates the file, and locks it for as long as it is written ([`is_being_written`]).
    ///
    /// # Errors
    /// Those of creating a file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        // Not every file system has locks; without one, the run only seems to be cut off until it has ended.
        let _ = file.lock();
        Ok(Self { file: BufWriter::new(file) })
    }
}

impl Reporter for Jsonl {
    fn name(&self) -> &'static str {
        "run.jsonl"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, event)?;
        self.file.write_all(b"\n")?;
        // It survives a kill of the runner, and whoever follows the file sees what a board says while it says it.
        self.file.flush()
    }
}

/// Whether a process writes `run.jsonl`, which `file` is. The kernel takes the lock away with the process, however that ends.
pub fn is_being_written(file: &File) -> bool {
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
        Ok(()) => {
            // Closing the file would do the same.
            let _ = file.unlock();
            false
        }
    }
}

/// Why a stored run could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A line is not an event.
    #[error("`{path}` line {line} is not an event")]
    Line {
        /// The file.
        path: String,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads a stored run and hands its events to `each`, in order.
///
/// A last line that was cut off, as by a kill of the runner, ends the run without an error.
///
/// # Errors
/// [`ReadError`] when the file cannot be read or holds something else; what `each` returns.
pub fn read<E: From<ReadError>>(path: &Path, mut each: impl FnMut(Event) -> Result<(), E>) -> Result<(), E> {
    let name = path.display().to_string();
    let io_error = |source| ReadError::Io { path: name.clone(), source };
    let mut file = BufReader::new(File::open(path).map_err(io_error)?);
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let length = io::Read::take(&mut file, MAX_LINE).read_until(b'\n', &mut text).map_err(io_error)?;
        if length == 0 {
            break;
        }
        match serde_json::from_slice(&text) {
            Ok(event) => each(event)?,
            Err(_) if text.last() != Some(&b'\n') && (length as u64) < MAX_LINE => break,
            Err(source) => return Err(ReadError::Line { path: name.clone(), line, source }.into()),
        }
    }
    Ok(())
}
