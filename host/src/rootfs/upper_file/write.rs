//! Writing: data first, then the log, and only then the map that readers see.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::{MAX_FILE_SIZE, Map, UpperFile};
use crate::rootfs::FsError;
use crate::rootfs::block_store::{BLOCK, BlockStore, Run};
use crate::rootfs::journal::Change;

/// Blocks on their way into a file. No reader sees them and no log knows them, so that they are given back when the
/// write fails.
struct NewBlocks<'s> {
    store: &'s BlockStore,
    runs: Vec<(u64, Run)>,
}

impl<'s> NewBlocks<'s> {
    /// Blocks for all of `gaps`, which are extents of a file.
    fn allocate(store: &'s BlockStore, gaps: Vec<Run>) -> Result<Self, FsError> {
        let missing: u64 = gaps.iter().map(|gap| gap.count).sum();
        let mut new = Self { store, runs: Vec::with_capacity(gaps.len()) };
        if missing == 0 {
            return Ok(new);
        }
        let mut free = store.allocate(missing)?.into_iter();
        let mut run = Run { start: 0, count: 0 };
        for mut gap in gaps {
            while gap.count > 0 {
                if run.count == 0 {
                    run = free.next().ok_or(FsError::NoSpace)?;
                }
                let count = run.count.min(gap.count);
                new.runs.push((gap.start, Run { start: run.start, count }));
                run = Run { start: run.start + count, count: run.count - count };
                gap = Run { start: gap.start + count, count: gap.count - count };
            }
        }
        Ok(new)
    }

    /// Writes the present content of a block that will be covered only partly, if it is one of these; whether it is other
    /// than zeros.
    fn fill(
        &self,
        block: u64,
        content: impl FnOnce(&mut [u8]) -> Result<(), FsError>,
    ) -> Result<bool, FsError> {
        let inside = |(first, run): &&(u64, Run)| (*first..first + run.count).contains(&block);
        let Some((first, run)) = self.runs.iter().find(inside) else { return Ok(false) };
        let mut buffer = vec![0; BLOCK as usize];
        content(&mut buffer)?;
        self.store.write((run.start + block - first) * BLOCK, &buffer)?;
        Ok(buffer.iter().any(|byte| *byte != 0))
    }
}

impl Drop for NewBlocks<'_> {
    fn drop(&mut self) {
        for (_, run) in self.runs.drain(..) {
            self.store.give_free(run);
        }
    }
}

impl UpperFile {
    /// Writes `data` at `offset`, growing the file if needed; returns the size that the file had.
    ///
    /// If there is no space, the file is as it was.
    ///
    /// # Errors
    /// [`FsError::FileTooLarge`], [`FsError::NoSpace`], [`FsError::Io`].
    pub(in crate::rootfs) fn write(&self, offset: u64, data: &[u8]) -> Result<u64, FsError> {
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= MAX_FILE_SIZE);
        let end = end.ok_or(FsError::FileTooLarge)?;
        if data.is_empty() {
            return Ok(self.size());
        }
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let (stored, gaps) = map.extents(offset / BLOCK, end.div_ceil(BLOCK));
        let mut new = NewBlocks::allocate(&self.storage.store, gaps)?;
        // What needs space comes first: blocks that the file has already are written over in place.
        let moves_old = self.fill_edges(&map, &new, offset, end)?;
        self.write_extents(&new.runs, offset, data)?;
        if moves_old && self.storage.store.outlives_power() {
            // The log may be on the disk first, and old content must not be lost with what is written around it.
            self.storage.sync_data()?;
        }
        let written = self.write_extents(&stored, offset, data);
        if let Err(error) = written.and_then(|()| self.log_extents(&new.runs, end)) {
            if end > self.size() {
                self.clear_tail(&map)?;
            }
            return Err(error);
        }
        for (block, run) in new.runs.drain(..) {
            self.insert(&mut map, block, run);
        }
        Ok(self.size.fetch_max(end, Ordering::AcqRel))
    }

    /// Logs that the file has the blocks `new`, and reaches to `end` at least.
    fn log_extents(&self, new: &[(u64, Run)], end: u64) -> Result<(), FsError> {
        let before = self.size();
        if new.is_empty() && end <= before {
            return Ok(());
        }
        let (size, runs) = (before.max(end), new.to_vec());
        self.storage.journal.append([Change::Extents { ino: self.ino, size, runs }])
    }

    /// Writes what `data`, which begins at byte `offset` of the file, has for each of the extents.
    fn write_extents(&self, extents: &[(u64, Run)], offset: u64, data: &[u8]) -> Result<(), FsError> {
        for (block, run) in extents {
            let start = block * BLOCK;
            let from = start.max(offset);
            let to = (start + run.count * BLOCK).min(offset + data.len() as u64);
            let range = (from - offset) as usize..(to - offset) as usize;
            let part = data.get(range).ok_or(FsError::Io)?;
            self.storage.store.write(run.start * BLOCK + (from - start), part)?;
        }
        Ok(())
    }

    /// Gives the new blocks that `offset..end` covers only partly their present content: its first, its last, or none.
    /// Whether that is other than zeros.
    fn fill_edges(&self, map: &Map, new: &NewBlocks<'_>, offset: u64, end: u64) -> Result<bool, FsError> {
        let head = (!offset.is_multiple_of(BLOCK)).then_some(offset / BLOCK);
        let tail = (!end.is_multiple_of(BLOCK)).then_some(end / BLOCK).filter(|block| head != Some(*block));
        let mut moves_old = false;
        for block in [head, tail].into_iter().flatten() {
            moves_old |= new.fill(block, |content| self.read_base(map, block * BLOCK, content))?;
        }
        Ok(moves_old)
    }
}
