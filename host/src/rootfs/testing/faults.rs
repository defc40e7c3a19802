//! A disk that is full, or fails, when a test wants it to.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::rootfs::FsError;

/// What the disk below a store does to it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    writes: AtomicU32,
    refused: AtomicU32,
    next_sync_fails: AtomicBool,
    syncs: AtomicU32,
    holding: Mutex<()>,
}

impl Faults {
    /// Lets the disk be full for `refused` writes, after `writes` more.
    pub(crate) fn fill_disk(&self, writes: u32, refused: u32) {
        self.writes.store(writes, Ordering::Relaxed);
        self.refused.store(refused, Ordering::Relaxed);
    }

    /// Lets the next sync fail, and as with Linux only that.
    pub(crate) fn fail_next_sync(&self) {
        self.next_sync_fails.store(true, Ordering::Relaxed);
    }

    /// Lets syncs wait for as long as what is returned lives.
    pub(crate) fn hold_syncs(&self) -> MutexGuard<'_, ()> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many syncs have begun.
    pub(crate) fn syncs(&self) -> u32 {
        self.syncs.load(Ordering::Acquire)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::AcqRel);
        drop(self.hold_syncs());
        match self.next_sync_fails.swap(false, Ordering::Relaxed) {
            true => Err(io::ErrorKind::Other.into()),
            false => Ok(()),
        }
    }

    pub(crate) fn write(&self) -> Result<(), FsError> {
        if counts_down(&self.writes) || !counts_down(&self.refused) {
            return Ok(());
        }
        Err(FsError::NoSpace)
    }
}

fn counts_down(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
