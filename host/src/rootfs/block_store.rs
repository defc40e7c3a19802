//! The changed data of a layer: one sparse file on the bench PC, given out in blocks and limited by a budget.
//!
//! One file and not one per inode: a package manager changes more files than a process may have open.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::FallocateFlags;
use serde::{Deserialize, Serialize};

use super::syncs::Syncs;
use super::{Durability, FsError, LayerOptions, page_cache};

/// Bytes in a block: the page size of the boards, so that their page-sized writes need no filling.
pub(super) const BLOCK: u64 = 4096;

/// Consecutive blocks of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// First block.
    pub(super) start: u64,
    /// Number of blocks, at least 1.
    pub(super) count: u64,
}

/// Blocks in a file.
#[derive(Debug)]
pub(super) struct BlockStore {
    file: File,
    limit: u64,
    /// A power failure counts. Blocks that are let go are not used again before the log that says so is on the disk: after
    /// a power failure, the file that had them may have them again.
    outlives_power: bool,
    allocator: Mutex<Allocator>,
    syncs: Syncs,
    #[cfg(test)]
    pub(super) faults: super::testing::Faults,
}

#[derive(Debug, Default)]
struct Allocator {
    /// Free runs below `end` by first block; neighbours are merged.
    free: BTreeMap<u64, u64>,
    end: u64,
    /// Blocks given out, those that wait included.
    used: u64,
    /// Let go by a change that may not be on the disk yet.
    waiting: Vec<Run>,
    /// Nothing is given back: while the log is read, whose later part may use it again; and once the layer ends.
    frozen: bool,
}

impl BlockStore {
    /// A store in `file` that keeps to the budget and durability of `options`.
    pub(super) fn new(file: File, options: LayerOptions) -> Self {
        let outlives_power = options.durability == Durability::Power;
        Self {
            file,
            limit: options.budget / BLOCK,
            outlives_power,
            allocator: Mutex::default(),
            syncs: Syncs::default(),
            #[cfg(test)]
            faults: super::testing::Faults::default(),
        }
    }

    /// A store whose blocks in use are not known yet; [`BlockStore::recovered`] tells them.
    pub(super) fn recovering(file: File, options: LayerOptions) -> Self {
        let allocator = Allocator { frozen: true, ..Allocator::default() };
        Self { allocator: Mutex::new(allocator), ..Self::new(file, options) }
    }

    /// Begins to give out blocks, all but those of `used`, which must not overlap and be in order.
    pub(super) fn recovered(&self, used: &[Run]) {
        let mut allocator = self.allocator();
        *allocator = Allocator::default();
        for run in used {
            if run.start > allocator.end {
                let (start, count) = (allocator.end, run.start - allocator.end);
                allocator.free.insert(start, count);
            }
            allocator.end = run.start + run.count;
            allocator.used += run.count;
        }
        // Blocks behind the last one were written by what never was answered; their space is of no use.
        let _ = self.file.set_len(allocator.end * BLOCK);
    }

    /// Gives nothing back from now on: the file goes as a whole, or is kept as it is.
    pub(super) fn freeze(&self) {
        self.allocator().frozen = true;
    }

    /// Whether what was called stable must outlive a power failure.
    pub(super) const fn outlives_power(&self) -> bool {
        self.outlives_power
    }

    /// Writes everything to the disk itself; once that has failed, it always fails.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        self.syncs.sync(|| {
            #[cfg(test)]
            self.faults.sync()?;
            self.file.sync_data()
        })
    }

    fn allocator(&self) -> MutexGuard<'_, Allocator> {
        self.allocator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out `count` blocks, in as few runs as there are; their content is undefined.
    ///
    /// # Errors
    /// [`FsError::NoSpace`] if the budget does not allow all of them; none is taken then.
    pub(super) fn allocate(&self, count: u64) -> Result<Vec<Run>, FsError> {
        let mut allocator = self.allocator();
        if allocator.used.checked_add(count).is_none_or(|used| used > self.limit) {
            return Err(FsError::NoSpace);
        }
        allocator.used += count;
        let mut left = count;
        let mut runs = Vec::new();
        while left > 0 {
            let Some((start, free)) = allocator.free.pop_first() else { break };
            let taken = free.min(left);
            if taken < free {
                allocator.free.insert(start + taken, free - taken);
            }
            runs.push(Run { start, count: taken });
            left -= taken;
        }
        if left > 0 {
            runs.push(Run { start: allocator.end, count: left });
            allocator.end += left;
        }
        Ok(runs)
    }

    /// Takes blocks back: at once, or to be given free once the log is on the disk.
    pub(super) fn release(&self, run: Run) {
        {
            let mut allocator = self.allocator();
            if allocator.frozen {
                return;
            }
            if self.outlives_power {
                allocator.waiting.push(run);
                return;
            }
        }
        self.give_free(run);
    }

    /// The blocks that wait for the log. Once it is on the disk, they are for [`BlockStore::give_free`].
    pub(super) fn take_waiting(&self) -> Vec<Run> {
        std::mem::take(&mut self.allocator().waiting)
    }

    /// Lets blocks wait on: the log is not on the disk.
    pub(super) fn keep_waiting(&self, runs: Vec<Run>) {
        self.allocator().waiting.extend(runs);
    }

    /// Whether blocks wait for the log.
    pub(super) fn has_waiting(&self) -> bool {
        !self.allocator().waiting.is_empty()
    }

    /// Lets blocks be used again, and gives their space back to the disk where the file system can.
    pub(super) fn give_free(&self, run: Run) {
        // A file system without holes keeps the space until the layer ends; the blocks are used again all the same.
        let _ = rustix::fs::fallocate(
            &self.file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            run.start * BLOCK,
            run.count * BLOCK,
        );
        let mut allocator = self.allocator();
        allocator.used -= run.count;
        let Run { mut start, mut count } = run;
        if let Some((&before, &length)) = allocator.free.range(..start).next_back()
            && before + length == start
        {
            allocator.free.remove(&before);
            start = before;
            count += length;
        }
        if let Some(after) = allocator.free.remove(&(start + count)) {
            count += after;
        }
        allocator.free.insert(start, count);
    }

    /// Reads `buffer` from byte `at` of the store; what was never written reads as zeros.
    pub(super) fn read(&self, mut at: u64, mut buffer: &mut [u8]) -> Result<(), FsError> {
        while !buffer.is_empty() {
            let count = self.file.read_at(buffer, at).map_err(|_| FsError::Io)?;
            if count == 0 {
                buffer.fill(0);
                break;
            }
            buffer = buffer.get_mut(count..).unwrap_or_default();
            at += count as u64;
        }
        Ok(())
    }

    /// Whether byte `at` of the store is in memory.
    pub(super) fn is_in_memory(&self, at: u64) -> bool {
        page_cache::holds(&self.file, at)
    }

    /// Writes `data` at byte `at` of the store.
    pub(super) fn write(&self, at: u64, data: &[u8]) -> Result<(), FsError> {
        #[cfg(test)]
        self.faults.write()?;
        self.file.write_all_at(data, at).map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => FsError::NoSpace,
            _ => FsError::Io,
        })
    }

    /// Bytes given out, and the bytes that still can be: by the budget and by the disk. What waits for the log can be had.
    pub(super) fn usage(&self) -> (u64, u64) {
        let allocator = self.allocator();
        let used = allocator.used - allocator.waiting.iter().map(|run| run.count).sum::<u64>();
        drop(allocator);
        let by_budget = self.limit.saturating_sub(used) * BLOCK;
        let on_disk = rustix::fs::fstatvfs(&self.file)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        (used * BLOCK, by_budget.min(on_disk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(blocks: u64) -> BlockStore {
        let options = LayerOptions { budget: blocks * BLOCK, ..LayerOptions::default() };
        BlockStore::new(tempfile::tempfile().unwrap(), options)
    }

    #[test]
    fn released_blocks_are_merged_and_used_again() {
        let store = store(4);
        assert_eq!(store.allocate(4).unwrap(), [Run { start: 0, count: 4 }]);
        assert_eq!(store.allocate(1), Err(FsError::NoSpace));
        for start in [2, 0, 1] {
            store.release(Run { start, count: 1 });
        }
        assert_eq!(store.usage().0, BLOCK);
        assert_eq!(store.allocate(3).unwrap(), [Run { start: 0, count: 3 }]);
    }

    #[test]
    fn an_absurd_count_is_refused_without_overflow() {
        let store = store(4);
        store.allocate(1).unwrap();
        assert_eq!(store.allocate(u64::MAX), Err(FsError::NoSpace));
    }
}
