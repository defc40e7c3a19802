//! A file on its way into the cache: written by one thread, and its checksums computed by another meanwhile.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use tempfile::NamedTempFile;

use super::checksum::{Checksums, Digests, Hasher};
use super::error::Reason;

/// Pieces that may wait to be hashed; with [`BUFFER`](super::copy::BUFFER) bytes each, 1 MiB.
const MAX_WAITING: usize = 8;

/// A file that is being written to the cache.
#[derive(Debug)]
pub(super) struct BlobWriter {
    temporary: NamedTempFile,
    size: u64,
    hashing: Hashing,
}

/// A file that was written whole, and does not have its name yet.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) temporary: NamedTempFile,
    pub(super) size: u64,
    pub(super) digests: Digests,
}

impl BlobWriter {
    /// Writes to `temporary`, and computes what `demanded` can be compared with.
    ///
    /// # Errors
    /// [`Reason::Thread`].
    pub(super) fn new(temporary: NamedTempFile, demanded: &Checksums) -> Result<Self, Reason> {
        Ok(Self { temporary, size: 0, hashing: Hashing::start(demanded)? })
    }

    /// Returns the path, for errors.
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`Reason::Panicked`].
    pub(super) fn finish(self) -> Result<Written, Reason> {
        let Self { temporary, size, hashing } = self;
        Ok(Written { temporary, size, digests: hashing.finish()? })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temporary.write(bytes)?;
        self.hashing.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// A thread that hashes what it is sent. It ends when nobody sends any more.
#[derive(Debug)]
struct Hashing {
    pieces: SyncSender<Vec<u8>>,
    thread: JoinHandle<Digests>,
}

impl Hashing {
    fn start(demanded: &Checksums) -> Result<Self, Reason> {
        let mut hasher = Hasher::new(demanded);
        let (pieces, received) = mpsc::sync_channel::<Vec<u8>>(MAX_WAITING);
        let work = move || {
            received.iter().for_each(|piece| hasher.update(&piece));
            hasher.finish()
        };
        let thread = thread::Builder::new().name("checksum".to_owned()).spawn(work);
        Ok(Self { pieces, thread: thread.map_err(Reason::Thread)? })
    }

    fn update(&self, bytes: &[u8]) {
        // If the thread is gone, its panic is what `finish` tells.
        let _ = self.pieces.send(bytes.to_vec());
    }

    fn finish(self) -> Result<Digests, Reason> {
        drop(self.pieces);
        self.thread.join().map_err(|_| Reason::Panicked)
    }
}
