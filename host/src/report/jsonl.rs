//! `run.jsonl`: every event, one JSON object a line.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::event::{Event, EventKind};
use crate::report::{Reporter, Results};

/// Longest line that is read back, in bytes: a console chunk in base64 with room to spare.
pub(crate) const MAX_LINE: u64 = 4 << 20;

/// How long what a console said is kept back at most: its chunks are many and small.
const CONSOLE_DELAY: Duration = Duration::from_millis(100);

/// Writes `run.jsonl`.
#[derive(Debug)]
pub struct Jsonl {
    file: Arc<Mutex<BufWriter<File>>>,
    /// Has a message while something is kept back.
    kept_back: SyncSender<()>,
}

impl Jsonl {
    /// Creates the file, and locks it for as long as it is written ([`is_being_written`]).
    ///
    /// # Errors
    /// Those of creating a file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        // Leases say the same of boards only, and to those alone who have the bench file. Not every file system has locks;
        // without one, the run only seems to be cut off until it has ended.
        let _ = file.lock();
        let file = Arc::new(Mutex::new(BufWriter::new(file)));
        let (kept_back, told) = sync_channel(1);
        let weak = Arc::downgrade(&file);
        thread::Builder::new().name("run.jsonl".to_owned()).spawn(move || write_later(&told, &weak))?;
        Ok(Self { file, kept_back })
    }
}

/// Writes what was kept back, a little later; ends with the report.
fn write_later(told: &Receiver<()>, file: &Weak<Mutex<BufWriter<File>>>) {
    while told.recv().is_ok() {
        thread::sleep(CONSOLE_DELAY);
        let Some(file) = file.upgrade() else { return };
        // What could not be written is kept, and the next event fails with it.
        let _ = file.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

impl Reporter for Jsonl {
    fn name(&self) -> &'static str {
        "run.jsonl"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_writer(&mut *file, event)?;
        file.write_all(b"\n")?;
        if matches!(event.kind, EventKind::Console { .. } | EventKind::Output { .. }) {
            // Whoever follows the file sees what a board says also when nothing comes after it. A full channel has told already.
            let _ = self.kept_back.try_send(());
            Ok(())
        } else {
            // It survives a kill of the runner.
            file.flush()
        }
    }
}

/// The lines of `run.jsonl`, for somebody who reads them while the run goes on.
pub struct PrintedEvents {
    out: BufWriter<Box<dyn Write + Send>>,
}

impl PrintedEvents {
    /// Writes to `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: BufWriter::new(out) }
    }
}

impl Reporter for PrintedEvents {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, event)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;
    use crate::event::{Bytes, Direction};

    #[test]
    fn what_a_console_says_last_reaches_the_file_with_no_event_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.jsonl");
        let mut jsonl = Jsonl::create(&path).unwrap();
        let event = |seq, kind| Event {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            node: Some("a".to_owned()),
            kind,
        };
        let console =
            |text: &[u8]| EventKind::Console { direction: Direction::Rx, data: Bytes(text.to_vec()) };
        jsonl.report(&event(0, EventKind::Note { text: "at once".to_owned() }), &Results::default()).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("at once"));
        for (seq, text) in [(1, "U-Boot"), (2, "=> ")] {
            jsonl.report(&event(seq, console(text.as_bytes())), &Results::default()).unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while !fs::read_to_string(&path).unwrap().contains(text) {
                assert!(Instant::now() < deadline, "{text} is kept back");
                thread::yield_now();
            }
        }
        let reader = File::open(&path).unwrap();
        assert!(is_being_written(&reader));
        jsonl.report(&event(3, console(b"at the end")), &Results::default()).unwrap();
        drop(jsonl);
        let deadline = Instant::now() + Duration::from_secs(30);
        while is_being_written(&reader) {
            assert!(Instant::now() < deadline, "the file is kept open");
            thread::yield_now();
        }
        assert!(fs::read_to_string(&path).unwrap().contains("at the end"));
    }
}
