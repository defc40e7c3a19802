//! `run.jsonl`: every event, one JSON object a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use crate::event::{Event, EventKind};
use crate::report::{Reporter, Results};

/// Longest line that is read back: a console chunk in base64 with room to spare.
const MAX_LINE: u64 = 4 << 20;

/// Writes `run.jsonl`, or the same to standard output.
pub struct Jsonl {
    name: &'static str,
    out: Box<dyn Write + Send>,
    /// Whether somebody waits for every line.
    is_read: bool,
}

impl Jsonl {
    /// Creates the file.
    ///
    /// # Errors
    /// Those of creating a file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let out = Box::new(BufWriter::new(File::create_new(path)?));
        Ok(Self { name: "run.jsonl", out, is_read: false })
    }

    /// Writes to `out`, which somebody reads while the run goes on.
    pub fn printed(out: Box<dyn Write + Send>) -> Self {
        Self { name: "standard output", out: Box::new(BufWriter::new(out)), is_read: true }
    }
}

impl Reporter for Jsonl {
    fn name(&self) -> &'static str {
        self.name
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, event)?;
        self.out.write_all(b"\n")?;
        // Console chunks are many and small; everything else must survive a kill of the runner.
        let is_small = matches!(event.kind, EventKind::Console { .. } | EventKind::Output { .. });
        if is_small && !self.is_read { Ok(()) } else { self.out.flush() }
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
