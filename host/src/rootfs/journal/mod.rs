//! The log of a layer: every change before it is answered, so that the layer outlives its process.
//!
//! The log is a sequence of frames ([`frame`]), the first one a [`LogHeader`], each other one the changes of one
//! operation. Data is written to the store before the change that refers to it, and blocks are given free after the
//! change that lets them go; a process may be killed between any two steps.
//!
//! Written bytes survive the process in the kernel's page cache. Whether they must also survive the bench PC's power
//! is [`Durability`].

mod frame;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FallocateFlags;
use serde::{Deserialize, Serialize};

use self::frame::{Frame, Frames};
pub(super) use self::record::{Change, LogHeader};
use super::FsError;
use super::syncs::Syncs;

/// Space of the disk that is taken ahead, in bytes, so that an operation that has begun can be logged.
const AHEAD: u64 = 1 << 20;
/// What one operation may need, in bytes: a few inodes, names and a link's target, or the map of a large write.
const RESERVE: u64 = 128 << 10;
/// Size from which on a log is written anew when most of it is outdated, in bytes.
const MIN_COMPACT: u64 = 64 << 20;

/// What a layer's changes must survive once they are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The end of this process by any signal.
    #[default]
    Process,
    /// A power failure of the bench PC as well: names and attributes before they are answered, data once the board has
    /// asked for it (stable WRITE, COMMIT).
    Power,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("cannot use the log {path}")]
    Io {
        /// The log.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It does not begin as a log does.
    #[error("{path} is not the log of a root filesystem's layer, or its beginning is damaged")]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// It was written by another version of the program.
    #[error("{path} has format {found}, and this program reads {}", record::FORMAT)]
    Format {
        /// The log.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Changes that were answered lie behind what cannot be read.
    #[error(
        "the log {path} is damaged at byte {at}, and changes follow that the board was told of; nothing was touched: put \
         back a copy of the directory, or give up all changes from there on with `truncate --size={at} {path}`"
    )]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where what can be read ends, in bytes.
        at: u64,
    },
    /// A change cannot be encoded.
    #[error("a change cannot be written to the log")]
    Encode(#[source] postcard::Error),
}

/// A log that is open for more.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    header: LogHeader,
    log: Mutex<Log>,
    syncs: Syncs,
    #[cfg(test)]
    pub(super) faults: super::testing::Faults,
}

#[derive(Debug)]
struct Log {
    /// Shared with who syncs it: that takes long, and others go on meanwhile.
    file: Arc<File>,
    end: u64,
    /// Up to where the disk has promised space.
    reserved: u64,
    /// A change could not be written, or a sync failed: nothing may be changed any more.
    broken: bool,
    compact_at: u64,
}

impl Log {
    fn new(file: File, end: u64) -> Self {
        let compact_at = MIN_COMPACT.max(end.saturating_mul(4));
        Self { file: Arc::new(file), end, reserved: end, broken: false, compact_at }
    }
}

impl LogHeader {
    pub(super) const fn new(layer: u64, lower: super::lower::LowerIdentity) -> Self {
        Self { format: record::FORMAT, layer, lower }
    }
}

impl Journal {
    /// Begins a log at `path`, where there must be none.
    pub(super) fn create(path: PathBuf, header: LogHeader) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(io)?;
        let bytes = Frame::of_header(&header)?.seal();
        file.write_all_at(&bytes, 0).map_err(io)?;
        Ok(Self::new(path, header, Log::new(file, bytes.len() as u64)))
    }

    /// Opens the log at `path`; [`Journal::replay`] must follow.
    pub(super) fn open(path: PathBuf) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io)?;
        let header = read_header(&path, &file)?;
        Ok(Self::new(path, header, Log::new(file, 0)))
    }

    fn new(path: PathBuf, header: LogHeader, log: Log) -> Self {
        Self {
            path,
            header,
            log: Mutex::new(log),
            syncs: Syncs::default(),
            #[cfg(test)]
            faults: super::testing::Faults::default(),
        }
    }

    /// Hands each change to `apply`, and returns how many bytes at the end a crash had torn off; they are cut.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Io`]; the log is as it was.
    pub(super) fn replay(&self, apply: &mut dyn FnMut(Change<'_>)) -> Result<u64, JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let mut log = self.log();
        let mut frames = Frames::new(&log.file).map_err(io)?;
        // The header.
        frames.next().map_err(io)?;
        while let Some(payload) = frames.next().map_err(io)? {
            replay(payload, apply);
        }
        let (end, torn) = (frames.end(), frames.torn());
        if torn > 0 && frames.are_damaged().map_err(io)? {
            return Err(JournalError::Damaged { path: self.path.clone(), at: end });
        }
        log.file.set_len(end).map_err(io)?;
        (log.end, log.reserved) = (end, end);
        log.compact_at = MIN_COMPACT.max(end);
        Ok(torn)
    }

    pub(super) const fn header(&self) -> &LogHeader {
        &self.header
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that one more operation can be logged.
    ///
    /// # Errors
    /// [`FsError::NoSpace`] if the disk is full, [`FsError::Io`] if a change could not be logged before.
    pub(super) fn ready(&self) -> Result<(), FsError> {
        let mut log = self.log();
        if log.broken {
            return Err(FsError::Io);
        }
        if log.end + RESERVE <= log.reserved {
            return Ok(());
        }
        match rustix::fs::fallocate(&*log.file, FallocateFlags::KEEP_SIZE, log.end, AHEAD) {
            Ok(()) => log.reserved = log.end + AHEAD,
            Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => return Err(FsError::NoSpace),
            // A file system that promises nothing: a full disk shows when it is written to.
            Err(_) => log.reserved = u64::MAX,
        }
        Ok(())
    }

    /// Writes the changes of one operation.
    ///
    /// # Errors
    /// [`FsError::Io`]: it is not logged, and nothing may be changed from now on.
    pub(super) fn append<'a>(&self, changes: impl IntoIterator<Item = Change<'a>>) -> Result<(), FsError> {
        let mut frame = Frame::new();
        let mut encoded = true;
        for change in changes {
            encoded &= frame.push(&change).unwrap_or(false);
        }
        if frame.is_empty() {
            return Ok(());
        }
        let bytes = frame.seal();
        let mut log = self.log();
        let end = log.end;
        if log.broken || !encoded || log.file.write_all_at(&bytes, end).is_err() {
            log.broken = true;
            return Err(FsError::Io);
        }
        log.end += bytes.len() as u64;
        Ok(())
    }

    /// Writes what was appended to the disk itself; others append meanwhile.
    ///
    /// # Errors
    /// [`FsError::Io`]: nothing may be changed from now on.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        let disk = || {
            // If another log takes its place meanwhile, that one has all of it, and was synced before.
            let file = Arc::clone(&self.log().file);
            #[cfg(test)]
            self.faults.sync()?;
            file.sync_data()
        };
        self.syncs.sync(disk).inspect_err(|_| self.end())
    }

    /// Lets nothing be changed from now on.
    pub(super) fn end(&self) {
        self.log().broken = true;
    }

    /// Whether the log is large enough to be written anew.
    pub(super) fn is_long(&self) -> bool {
        let log = self.log();
        log.end >= log.compact_at && !log.broken
    }

    /// Does not ask for the log to be written anew until it has grown further: it could not be done now.
    pub(super) fn postpone_replacing(&self) {
        let mut log = self.log();
        log.compact_at = log.end.saturating_mul(2);
    }

    /// Puts `changes`, which must be equal to the whole log in effect, in the log's place; with `sync`, a power
    /// failure leaves the one or the other.
    pub(super) fn replace<'a>(
        &self,
        changes: impl IntoIterator<Item = Change<'a>>,
        sync: bool,
    ) -> Result<(), JournalError> {
        let new = self.path.with_extension("new");
        let io = |source| JournalError::Io { path: new.clone(), source };
        let mut file = OpenOptions::new();
        let file = file.read(true).write(true).create(true).truncate(true).open(&new).map_err(io)?;
        let mut end = 0;
        let mut write = |frame: Frame| -> Result<(), JournalError> {
            let bytes = frame.seal();
            file.write_all_at(&bytes, end).map_err(io)?;
            end += bytes.len() as u64;
            Ok(())
        };
        write(Frame::of_header(&self.header)?)?;
        let mut frame = Frame::new();
        for change in changes {
            if !frame.push(&change)? {
                write(std::mem::replace(&mut frame, Frame::new()))?;
                frame.push(&change)?;
            }
        }
        if !frame.is_empty() {
            write(frame)?;
        }
        self.put_in_place(&new, Log::new(file, end), sync).map_err(io)
    }

    /// Lets `log`, which is at `new`, be the log.
    fn put_in_place(&self, new: &Path, log: Log, sync: bool) -> io::Result<()> {
        let mut directory = None;
        if sync {
            log.file.sync_data()?;
            // What can fail without harm must do so before the rename.
            directory = self.path.parent().map(File::open).transpose()?;
        }
        fs::rename(new, &self.path)?;
        // Whoever syncs before this is done syncs the old log, which is what a power failure may leave.
        let synced = directory.map_or(Ok(()), |directory| {
            #[cfg(test)]
            self.faults.sync()?;
            directory.sync_all()
        });
        let mut current = self.log();
        // What would be appended to a log that a power failure takes away must not be called stable.
        let broken = current.broken || synced.is_err();
        *current = Log { broken, ..log };
        synced
    }
}

/// The header of the log `file`, which is at `path`.
fn read_header(path: &Path, file: &File) -> Result<LogHeader, JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let not_a_log = || JournalError::NotALog { path: path.to_owned() };
    let mut frames = Frames::new(file).map_err(io)?;
    let first = frames.next().map_err(io)?.ok_or_else(not_a_log)?;
    let (found, _) = postcard::take_from_bytes::<u32>(first).map_err(|_| not_a_log())?;
    if found != record::FORMAT {
        return Err(JournalError::Format { path: path.to_owned(), found });
    }
    postcard::from_bytes(first).map_err(|_| not_a_log())
}

/// Hands the changes of one frame to `apply`. Its checksum was right: what cannot be decoded was never written.
fn replay(mut payload: &[u8], apply: &mut dyn FnMut(Change<'_>)) {
    while !payload.is_empty() {
        let Ok((change, rest)) = postcard::take_from_bytes::<Change<'_>>(payload) else { return };
        apply(change);
        payload = rest;
    }
}
