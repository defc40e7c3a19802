//! Copying with a deadline, a limit, and a word about progress.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::Reason;

/// Bytes that are copied at a time.
pub(super) const BUFFER: usize = 128 * 1024;
/// How often progress is told at most.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How long something may go on.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    started: Instant,
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
}

/// Cancels the work on a budget when it is dropped.
#[derive(Debug)]
pub(super) struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Budget {
    pub(super) fn new(deadline: Instant) -> Self {
        Self { started: Instant::now(), deadline, cancelled: Arc::default() }
    }

    pub(super) fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Arc::clone(&self.cancelled))
    }

    /// Returns what is left, which is more than nothing.
    pub(super) fn remaining(&self) -> Result<Duration, Reason> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Reason::Cancelled);
        }
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(Reason::Timeout { waited: self.started.elapsed(), last: None }),
        }
    }
}

/// Says how far a copy is: bytes so far, and in all if known.
pub(super) type Progress<'a> = &'a dyn Fn(u64, Option<u64>);

/// Why a copy ended early.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The source failed after `done` bytes.
    Read { done: u64, source: io::Error },
    /// The destination failed.
    Write(io::Error),
    /// The source has more bytes than the limit.
    TooLarge,
    /// The budget is used up.
    Budget(Reason),
}

/// Copies all of `reader`, at most `limit` bytes, and returns how many; `progress` gets the count and `total`.
pub(super) fn copy(
    reader: &mut dyn Read,
    writer: &mut dyn Write,
    limit: u64,
    budget: &Budget,
    total: Option<u64>,
    progress: Progress<'_>,
) -> Result<u64, CopyError> {
    let mut buffer = vec![0; BUFFER];
    let mut done = 0;
    let mut reported = Instant::now();
    loop {
        budget.remaining().map_err(CopyError::Budget)?;
        let length = match reader.read(&mut buffer) {
            Ok(0) => {
                progress(done, total);
                return Ok(done);
            }
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(CopyError::Read { done, source }),
        };
        done += length as u64;
        if done > limit {
            return Err(CopyError::TooLarge);
        }
        writer.write_all(buffer.get(..length).unwrap_or_default()).map_err(CopyError::Write)?;
        if reported.elapsed() >= PROGRESS_INTERVAL {
            reported = Instant::now();
            progress(done, total);
        }
    }
}
