//! A stored run in its own time, or in one that goes faster or slower.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::cli::runtime::block_on;
use crate::event::Event;
use crate::fault::{Class, Fault};
use crate::report::jsonl::{self, ReadError};

use super::End;
use super::part::Part;

/// Events that are read ahead.
const AHEAD: usize = 64;

/// Hands the events of a run to `each` when they are due; those before the part come at once.
pub(super) fn read(
    path: &Path,
    speed: f64,
    part: &Part,
    mut each: impl FnMut(&Event) -> Result<(), End>,
) -> Result<(), End> {
    block_on(async |cancel| {
        let (sender, mut events) = mpsc::channel(AHEAD);
        let file = path.to_owned();
        let reader = tokio::task::spawn_blocking(move || {
            jsonl::read(&file, |event| sender.blocking_send(event).map_err(|_closed| Stop::Closed))
        });
        let start = Instant::now();
        let stopped =
            || End::Other(Fault::new(Class::Cancelled, path.display().to_string(), "the replay was stopped"));
        while let Some(event) = events.recv().await {
            if part.is_over(&event) {
                return Err(End::Part);
            }
            let due = start + scaled(event.elapsed.saturating_sub(part.from.elapsed), speed);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(stopped()),
                () = sleep_until(due) => each(&event)?,
            }
        }
        match reader.await {
            Ok(Err(Stop::Read(error))) => Err(End::Read(error)),
            Ok(_) => Ok(()),
            Err(error) => Err(End::Other(Fault::from_error(Class::Bug, path.display().to_string(), &error))),
        }
    })
}

/// Why no more is read.
enum Stop {
    /// Nobody wants it.
    Closed,
    Read(ReadError),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// A time of the run in ours, at most a year: a stored run may say anything.
fn scaled(time: Duration, speed: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    Duration::try_from_secs_f64(time.as_secs_f64() / speed).unwrap_or(LONGEST).min(LONGEST)
}
