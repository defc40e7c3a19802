//! Syncs of one file: one at a time, each for everybody who asked before it began, and none after one has failed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::FsError;

/// Lets the names in `directory`, and its own in the one above, outlive a power failure.
///
/// # Errors
/// Those of the disk.
pub(super) fn sync_names(directory: &Path) -> io::Result<()> {
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty());
    [Some(directory), above].into_iter().flatten().try_for_each(|directory| File::open(directory)?.sync_all())
}

/// Who has asked for a sync, and who was served.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    asked: AtomicU64,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    /// How many of those who asked are served.
    served: u64,
    /// Linux reports a failure once, and takes what it could not write for written: a later success would mean nothing.
    failed: bool,
}

impl Syncs {
    /// Lets `disk` write the file to the disk itself, unless another caller's sync begins after this call and does so.
    ///
    /// # Errors
    /// [`FsError::Io`] if it fails, and ever after.
    pub(super) fn sync(&self, disk: impl FnOnce() -> io::Result<()>) -> Result<(), FsError> {
        let mine = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.failed {
            return Err(FsError::Io);
        }
        if done.served >= mine {
            return Ok(());
        }
        let served = self.asked.load(Ordering::Acquire);
        done.failed = disk().is_err();
        if done.failed {
            return Err(FsError::Io);
        }
        done.served = served;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn one_sync_serves_all_who_asked_before_it_began() {
        let (syncs, count) = (Syncs::default(), AtomicU32::new(0));
        let sync = || {
            syncs.sync(|| {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        };
        std::thread::scope(|scope| {
            syncs
                .sync(|| {
                    // Too late for the one that runs.
                    for _ in 0..8 {
                        scope.spawn(sync);
                    }
                    while syncs.asked.load(Ordering::Acquire) < 9 {
                        std::thread::yield_now();
                    }
                    Ok(())
                })
                .unwrap();
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
        sync().unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn nothing_is_synced_after_a_failure() {
        let syncs = Syncs::default();
        assert_eq!(syncs.sync(|| Err(io::ErrorKind::Other.into())), Err(FsError::Io));
        assert_eq!(syncs.sync(|| Ok(())), Err(FsError::Io));
    }
}
