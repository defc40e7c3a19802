//! Files that are made here, once for what they are made from, and kept as if they had been fetched.

use std::cell::Cell;
use std::io::{self, BufWriter, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::blob_writer::BlobWriter;
use super::cache::Cache;
use super::checksum::Checksums;
use super::copy::{BUFFER, Budget, PROGRESS_INTERVAL, Progress};
use super::error::Reason;
use super::fetch::{Artifact, on_thread};
use crate::rootfs::source::Proceed;

/// Makes a file.
pub trait Recipe {
    /// What can go wrong with what the file is made from.
    type Error: Send + 'static;

    /// Names the kind of the recipe among others, in lower-case letters. Another name makes everything anew.
    const KIND: &'static str;

    /// Tells what the file is made from, from everything else: hexadecimal digits.
    fn key(&self) -> String;

    /// About how many bytes the file will have, if that is known.
    fn total(&self) -> Option<u64>;

    /// Writes the file to `out`; returns what the user should know about it.
    ///
    /// # Errors
    /// Whatever it finds; one of `out` or of `proceed` is told as what it is, whatever is made of it here.
    fn make(&self, out: &mut dyn Write, proceed: Proceed<'_>) -> Result<Vec<String>, Self::Error>;
}

/// A file that was made, now or earlier.
#[derive(Debug)]
pub struct Derived {
    /// The file.
    pub artifact: Artifact,
    /// What the user should know about it.
    pub notes: Vec<String>,
}

/// Why a file could not be made.
#[derive(Debug)]
pub enum DeriveError<E> {
    /// The cache, the time, a limit.
    Cache(Reason),
    /// What it was to be made from.
    Recipe(E),
}

impl<E> From<Reason> for DeriveError<E> {
    fn from(reason: Reason) -> Self {
        Self::Cache(reason)
    }
}

/// What was made under a key.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    sha256: String,
    size: u64,
    notes: Vec<String>,
}

impl Cache {
    /// Makes a file, or finds it if it was made under the same key before. `prepare` is called with a function that it calls
    /// again and again, and whose errors end its work. `progress` is called at most five times a second with the bytes that
    /// were written, and [`Recipe::total`]. Ends by `deadline`; dropping the future stops the work.
    ///
    /// # Errors
    /// [`DeriveError`]
    pub async fn derive<R: Recipe>(
        &self,
        prepare: impl FnOnce(Proceed<'_>) -> Result<R, R::Error> + Send + 'static,
        deadline: Instant,
        progress: impl Fn(u64, Option<u64>) + Send + 'static,
    ) -> Result<Derived, DeriveError<R::Error>> {
        let budget = Budget::new(deadline);
        let _cancel = budget.cancel_on_drop();
        let cache = self.clone();
        on_thread(move || derive(&cache, prepare, &budget, &progress)).await
    }
}

fn derive<R: Recipe>(
    cache: &Cache,
    prepare: impl FnOnce(Proceed<'_>) -> Result<R, R::Error>,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<Derived, DeriveError<R::Error>> {
    let stopped = Stopped(Cell::new(None));
    let proceed = || budget.remaining().map(drop).map_err(|reason| stopped.by(reason));
    let blame = |error| stopped.0.take().map_or(DeriveError::Recipe(error), DeriveError::Cache);
    let recipe = prepare(&proceed).map_err(blame)?;
    let key = recipe.key();
    let _lock = cache.lock(&format!("{}-{key}", R::KIND), budget)?;
    if let Some(Made { sha256, size, notes }) = cache.record(R::KIND, &key)
        && let Some(blob) = cache.blob(&sha256, Some(size))
    {
        return Ok(Derived { artifact: Artifact::new(blob, sha256, true), notes });
    }
    let output = Output {
        writer: cache.writer(&Checksums::default())?,
        limit: cache.max_size,
        stopped: &stopped,
        budget,
        done: 0,
        reported: Instant::now(),
        report: &|done| progress(done, recipe.total()),
    };
    let mut output = BufWriter::with_capacity(BUFFER, output);
    let notes = recipe.make(&mut output, &proceed).map_err(blame)?;
    let output = output.into_inner().map_err(|error| {
        let source = error.into_error();
        stopped.0.take().unwrap_or(Reason::Cache { path: cache.directory().to_owned(), source })
    })?;
    let (blob, digests) = cache.keep(output.writer)?;
    let made = Made { sha256: digests.sha256, size: blob.size, notes };
    cache.set_record(R::KIND, &key, &made)?;
    Ok(Derived { artifact: Artifact::new(blob, made.sha256, false), notes: made.notes })
}

/// Why the work was stopped from outside: what the recipe makes of that is of no interest.
struct Stopped(Cell<Option<Reason>>);

impl Stopped {
    fn by(&self, reason: Reason) -> io::Error {
        let error = io::Error::other(reason.to_string());
        self.0.set(Some(reason));
        error
    }
}

/// The file while it grows, within limits.
struct Output<'o> {
    writer: BlobWriter,
    limit: u64,
    stopped: &'o Stopped,
    budget: &'o Budget,
    done: u64,
    reported: Instant,
    report: &'o dyn Fn(u64),
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.budget.remaining().map_err(|reason| self.stopped.by(reason))?;
        if self.done.saturating_add(bytes.len() as u64) > self.limit {
            return Err(self.stopped.by(Reason::TooLarge { limit: self.limit }));
        }
        let path = self.writer.path().to_owned();
        let written =
            self.writer.write(bytes).map_err(|source| self.stopped.by(Reason::Cache { path, source }))?;
        self.done += written as u64;
        if self.reported.elapsed() >= PROGRESS_INTERVAL {
            self.reported = Instant::now();
            (self.report)(self.done);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
