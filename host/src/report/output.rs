//! Standard output, as reports of a run have it.
//!
//! A run must not wait for who reads it: a terminal that is stopped (Ctrl-S), or a pipe from which nobody takes, keeps a
//! thread of its own and nothing else. A replay waits, as any program does.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How much waits for whoever reads, in bytes.
const MAX_WAITING: usize = 16 << 20;

/// Where reports print.
#[derive(Clone, Debug)]
pub enum Output {
    /// Standard output itself.
    Waiting,
    /// Standard output, written by a thread of its own.
    Detached(Printer),
}

impl Output {
    /// Waits until all is written, or nobody has taken it for `time`.
    ///
    /// # Errors
    /// Those of standard output, and [`io::ErrorKind::TimedOut`].
    pub fn settle(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Waiting => io::stdout().flush(),
            Self::Detached(printer) => printer.settle(time),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Waiting => io::stdout().write(bytes),
            Self::Detached(printer) => printer.put(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Waiting => io::stdout().flush(),
            // Its thread does so.
            Self::Detached(_) => Ok(()),
        }
    }
}

/// What becomes of what there is no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// It is left out, and the reader is told how many lines that were; so is all once there is no reader any more.
    LeaveOut,
    /// It is an error: the reader needs all of it, as long as there is one.
    Fail,
}

/// A thread that writes what it is given; a clone gives to the same.
#[derive(Clone)]
pub struct Printer(Arc<Shared>);

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Printer").field(&self.0.full).finish()
    }
}

struct Shared {
    full: Full,
    state: Mutex<State>,
    /// Something has come, or was written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<u8>,
    is_writing: bool,
    /// Lines that were left out since the last one that was not.
    left_out: u64,
    failed: Option<io::ErrorKind>,
}

impl Printer {
    /// Writes to `out` from now on. The thread ends with the program.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(out: impl Write + Send + 'static, full: Full) -> io::Result<Self> {
        let shared = Arc::new(Shared { full, state: Mutex::default(), changed: Condvar::new() });
        let other = Arc::clone(&shared);
        thread::Builder::new().name("standard output".to_owned()).spawn(move || other.write_on(out))?;
        Ok(Self(shared))
    }

    fn put(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        match (state.failed, self.0.full) {
            (None, _) => {}
            // Who has gone has read what it wanted.
            (Some(_), Full::LeaveOut) | (Some(io::ErrorKind::BrokenPipe), Full::Fail) => {
                return Ok(bytes.len());
            }
            (Some(kind), Full::Fail) => return Err(kind.into()),
        }
        let has_room = state.waiting.len() + bytes.len() <= MAX_WAITING;
        match self.0.full {
            // Once something was left out, all is, until there is nothing that waits: whole lines follow whole lines.
            Full::LeaveOut if !has_room || state.left_out > 0 => {
                state.left_out += bytes.iter().filter(|byte| **byte == b'\n').count().max(1) as u64;
            }
            Full::Fail if !has_room => {
                state.failed = Some(io::ErrorKind::TimedOut);
                let text = format!("nobody has read it: {MAX_WAITING} bytes wait already");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            _ => state.waiting.extend(bytes),
        }
        self.0.changed.notify_all();
        Ok(bytes.len())
    }

    fn settle(&self, time: Duration) -> io::Result<()> {
        let deadline = Instant::now() + time;
        let mut state = self.0.lock();
        loop {
            if let Some(kind) = state.failed {
                return Err(kind.into());
            }
            if state.waiting.is_empty() && !state.is_writing {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes, until that fails.
    fn write_on(&self, mut out: impl Write) {
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            self.changed.notify_all();
            while state.waiting.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let mut bytes = Vec::from(std::mem::take(&mut state.waiting));
            if state.left_out > 0 {
                let text = format!("\r\n[{} lines were not shown: nobody read them]\r\n", state.left_out);
                bytes.extend_from_slice(text.as_bytes());
                state.left_out = 0;
            }
            state.is_writing = true;
            drop(state);
            if let Err(error) = out.write_all(&bytes).and_then(|()| out.flush()) {
                self.lock().failed = Some(error.kind());
                self.changed.notify_all();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read as _};

    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    fn printer(full: Full) -> (PipeReader, Printer) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Printer::start(writer, full).unwrap())
    }

    fn read_until(reader: &mut PipeReader, end: &str) -> String {
        let mut text = Vec::new();
        let mut piece = [0; 65536];
        while !text.ends_with(end.as_bytes()) {
            let count = reader.read(&mut piece).unwrap();
            assert!(count > 0);
            text.extend_from_slice(&piece[..count]);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_is_put_is_written_in_its_order() {
        let (mut reader, printer) = printer(Full::LeaveOut);
        for number in 0..1000 {
            let line = format!("{number}\n");
            assert_eq!(printer.put(line.as_bytes()).unwrap(), line.len());
        }
        let lines: Vec<_> = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(read_until(&mut reader, "999\n"), lines.concat());
        printer.settle(TIME).unwrap();
    }

    #[test]
    fn a_reader_that_does_not_read_is_not_waited_for_and_told_what_it_has_missed() {
        let (mut reader, printer) = printer(Full::LeaveOut);
        let line = [b'x'; 1023].iter().chain(b"\n").copied().collect::<Vec<_>>();
        // More than a pipe holds, so that its thread is at it and takes no more, and then more than may wait.
        let (first, more) = (256, MAX_WAITING / line.len() * 2);
        let lines = first + more;
        printer.put(&line.repeat(first)).unwrap();
        let began = Instant::now();
        while !printer.0.lock().is_writing {
            assert!(began.elapsed() < TIME, "nothing is written");
            thread::yield_now();
        }
        for _ in 0..more {
            printer.put(&line).unwrap();
        }
        assert_eq!(printer.settle(Duration::ZERO).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let text = read_until(&mut reader, "nobody read them]\r\n");
        let shown = text.matches("x\n").count();
        let missed: usize = text.split_once("\r\n[").unwrap().1.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(shown + missed, lines);
        printer.put(b"after\n").unwrap();
        assert_eq!(read_until(&mut reader, "after\n"), "after\n");
    }

    #[test]
    fn a_reader_that_needs_all_is_failed_when_it_does_not_read() {
        let (_reader, printer) = printer(Full::Fail);
        let piece = vec![b'x'; MAX_WAITING / 2 + 1];
        let failed = (0..4).find_map(|_| printer.put(&piece).err()).unwrap();
        assert!(failed.to_string().starts_with("nobody has read it"), "{failed}");
        assert_eq!(printer.settle(TIME).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_reader_that_has_gone_is_told_at_the_end_alone() {
        for full in [Full::LeaveOut, Full::Fail] {
            let (reader, printer) = printer(full);
            drop(reader);
            printer.put(b"text").unwrap();
            assert_eq!(printer.settle(TIME).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(printer.put(b"text").map_err(|error| error.kind()), Ok(4));
        }
    }

    #[test]
    fn a_full_disk_is_an_error_where_all_is_needed() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let printer = Printer::start(full, Full::Fail).unwrap();
        printer.put(b"text").unwrap();
        assert_eq!(printer.settle(TIME).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(printer.put(b"text").map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
    }
}
