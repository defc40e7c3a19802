//! A disk that is full, or fails, when a test wants it to.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::rootfs::FsError;

/// What the disk below a store does to it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    writes: AtomicU32,
    refused: AtomicU32,
}

impl Faults {
    /// Lets the disk be full for `refused` writes, after `writes` more.
    pub(crate) fn fill_disk(&self, writes: u32, refused: u32) {
        self.writes.store(writes, Ordering::Relaxed);
        self.refused.store(refused, Ordering::Relaxed);
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
