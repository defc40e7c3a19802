//! The data of one changed or new file: blocks of the store over what the lower layer has.
//!
//! Invariant: a block of the store holds zeros from the end of the file on, so that growing the file shows zeros.
//! What is changed here goes to the log here, under the file's lock: after the data it speaks of, and before blocks
//! that it lets go are given back.

mod map;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::map::Map;
use super::block_store::{BLOCK, Run};
use super::journal::Change;
use super::storage::Storage;
use super::{FsError, Ino};

/// The largest file, in bytes (4 TiB): below the limit of every file system that may hold the store.
pub(super) const MAX_FILE_SIZE: u64 = 1 << 42;

/// The end of what can be addressed, in blocks: offsets are signed to the kernel.
const MAX_BLOCK: u64 = i64::MAX as u64 / BLOCK;

/// A file whose data differs from the lower layer. Its size is readable without waiting for its data.
#[derive(Debug)]
pub(super) struct UpperFile {
    ino: Ino,
    storage: Arc<Storage>,
    over_lower: bool,
    size: AtomicU64,
    /// How many blocks it has: of the store, and of what still shows of the lower layer.
    blocks: AtomicU64,
    map: RwLock<Map>,
}

impl UpperFile {
    /// A new, empty file.
    pub(super) fn empty(ino: Ino, storage: Arc<Storage>) -> Self {
        Self::new(ino, storage, None)
    }

    /// A file that shows what `ino` is in the lower layer until it is overwritten.
    pub(super) fn over_lower(ino: Ino, storage: Arc<Storage>) -> Self {
        let size = storage.lower.size(ino);
        Self::new(ino, storage, Some(size))
    }

    fn new(ino: Ino, storage: Arc<Storage>, visible: Option<u64>) -> Self {
        Self {
            ino,
            storage,
            over_lower: visible.is_some(),
            size: AtomicU64::new(visible.unwrap_or_default()),
            blocks: AtomicU64::new(visible.unwrap_or_default().div_ceil(BLOCK)),
            map: RwLock::new(Map { visible, ..Map::default() }),
        }
    }

    fn map(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn map_mut(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Disk space in bytes; what still shows of the lower layer counts as if it were here.
    pub(super) fn used(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed) * BLOCK
    }

    /// Reads into `buffer` from `offset`, and returns how many bytes, and whether the file ends there.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(usize, bool), FsError> {
        let map = self.map();
        let size = self.size();
        let left = size.saturating_sub(offset);
        let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let (target, _) = buffer.split_at_mut(count);
        self.read_mapped(&map, offset, target)?;
        Ok((count, offset.saturating_add(count as u64) >= size))
    }

    fn read_mapped(&self, map: &Map, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), FsError> {
        while !buffer.is_empty() {
            let (block, inside) = (offset / BLOCK, offset % BLOCK);
            let wanted = (inside + buffer.len() as u64).div_ceil(BLOCK);
            let stored = map.locate(block);
            let blocks = stored.map_or_else(|| map.gap(block, wanted), |run| run.count.min(wanted));
            let bytes = usize::try_from(blocks * BLOCK - inside).unwrap_or(usize::MAX).min(buffer.len());
            let (part, rest) = buffer.split_at_mut(bytes);
            match stored {
                Some(run) => self.storage.store.read(run.start * BLOCK + inside, part)?,
                None => self.read_base(map, offset, part)?,
            }
            buffer = rest;
            offset += bytes as u64;
        }
        Ok(())
    }

    fn read_base(&self, map: &Map, offset: u64, buffer: &mut [u8]) -> Result<(), FsError> {
        buffer.fill(0);
        let Some(visible) = map.visible else { return Ok(()) };
        let left = usize::try_from(visible.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let (shown, _) = buffer.split_at_mut(left);
        self.storage.lower.read(self.ino, offset, shown)
    }

    /// Whether byte `at` can be read without waiting: for the disk, or for who is writing to the file.
    pub(super) fn is_in_memory(&self, at: u64) -> bool {
        let Ok(map) = self.map.try_read() else { return false };
        match map.locate(at / BLOCK) {
            Some(run) => self.storage.store.is_in_memory(run.start * BLOCK + at % BLOCK),
            None if map.visible.is_some_and(|visible| at < visible) => {
                self.storage.lower.is_in_memory(self.ino, at)
            }
            None => true,
        }
    }

    /// Cuts the file to `size` bytes, or lets it grow by a hole.
    ///
    /// # Errors
    /// [`FsError::FileTooLarge`], [`FsError::Io`].
    pub(super) fn truncate(&self, size: u64) -> Result<(), FsError> {
        if size > MAX_FILE_SIZE {
            return Err(FsError::FileTooLarge);
        }
        let mut map = self.map_mut();
        self.storage.journal.append([Change::Truncate { ino: self.ino, size }])?;
        let shrinks = size < self.size();
        for run in self.cut(&mut map, size) {
            self.storage.store.release(run);
        }
        // What lies behind the end is nobody's only now that the log says so.
        if shrinks { self.clear_tail(&map) } else { Ok(()) }
    }

    /// Lets zeros follow the end of the file again, before the log may say that it has grown.
    ///
    /// # Errors
    /// [`FsError::Io`]: nothing may be changed from now on, for growing would show what was there. It is cleared when the
    /// layer is opened again.
    fn clear_tail(&self, map: &Map) -> Result<(), FsError> {
        let Some((at, bytes)) = self.tail(map) else { return Ok(()) };
        let Storage { store, journal, .. } = &*self.storage;
        let cleared = store.write(at, &vec![0; bytes]);
        let cleared = cleared.and_then(|()| if store.outlives_power() { store.sync() } else { Ok(()) });
        cleared.map_err(|_| {
            journal.end();
            FsError::Io
        })
    }

    /// Where in the store the rest of the block lies in which the file ends, and how many bytes that is.
    fn tail(&self, map: &Map) -> Option<(u64, usize)> {
        let inside = self.size() % BLOCK;
        let run = map.locate(self.size() / BLOCK).filter(|_| inside > 0)?;
        Some((run.start * BLOCK + inside, (BLOCK - inside) as usize))
    }

    /// Adds an extent, of which the file has nothing yet.
    fn insert(&self, map: &mut Map, block: u64, run: Run) {
        self.blocks.fetch_add(map.beyond_visible(block, run), Ordering::Relaxed);
        map.insert(block, run);
    }

    /// Sets the size, and returns the blocks that are no longer part of the file.
    fn cut(&self, map: &mut Map, size: u64) -> Vec<Run> {
        let mut removed = Vec::new();
        if size < self.size() {
            let hides = map.visible.is_some_and(|visible| size < visible);
            removed = map.split_off(size.div_ceil(BLOCK));
            if hides {
                // All that is left lies where the lower layer shows.
                map.visible = Some(size);
                self.blocks.store(map.visible_blocks(), Ordering::Relaxed);
            } else {
                self.blocks.fetch_sub(removed.iter().map(|run| run.count).sum(), Ordering::Relaxed);
            }
        }
        self.size.store(size, Ordering::Release);
        removed
    }
}

/// Logged changes, made again; and the state as changes for a new log.
impl UpperFile {
    /// What a write has done.
    ///
    /// # Errors
    /// [`FsError::Invalid`] for extents of which the file has a part already, or that lie beyond every file or store.
    pub(super) fn restore_extents(&self, size: u64, runs: Vec<(u64, Run)>) -> Result<(), FsError> {
        let mut map = self.map_mut();
        for (block, run) in runs {
            let within = |start: u64| start.checked_add(run.count).is_some_and(|end| end <= MAX_BLOCK);
            let free = run.count > 0 && map.locate(block).is_none() && map.gap(block, run.count) == run.count;
            if !within(block) || !within(run.start) || !free {
                return Err(FsError::Invalid);
            }
            self.insert(&mut map, block, run);
        }
        drop(map);
        self.restore_size(size)
    }

    /// What a truncation has done; the blocks that it let go are known by what the log ends with.
    ///
    /// # Errors
    /// [`FsError::Invalid`] for more than a file can have.
    pub(super) fn restore_size(&self, size: u64) -> Result<(), FsError> {
        if size > MAX_FILE_SIZE.max(self.storage.lower.size(self.ino)) {
            return Err(FsError::Invalid);
        }
        self.cut(&mut self.map_mut(), size);
        Ok(())
    }

    /// Clears what was written behind the end of the file by a process that was killed before it logged that, or that the
    /// file was cut there.
    ///
    /// # Errors
    /// [`FsError::Io`].
    pub(super) fn restore_tail(&self) -> Result<(), FsError> {
        let map = self.map_mut();
        let Some((at, bytes)) = self.tail(&map) else { return Ok(()) };
        let mut tail = vec![0; bytes];
        self.storage.store.read(at, &mut tail)?;
        if tail.iter().any(|byte| *byte != 0) { self.clear_tail(&map) } else { Ok(()) }
    }

    /// How much of the lower layer still shows.
    ///
    /// # Errors
    /// [`FsError::Invalid`] for more than there is.
    pub(super) fn restore_visible(&self, bytes: u64) -> Result<(), FsError> {
        if !self.over_lower || bytes > self.storage.lower.size(self.ino) {
            return Err(FsError::Invalid);
        }
        let mut map = self.map_mut();
        map.visible = Some(bytes);
        self.blocks.store(map.blocks(), Ordering::Relaxed);
        Ok(())
    }

    /// Lets go of the extent that begins at `block`, without giving it back: it belongs to another file.
    pub(super) fn give_up(&self, block: u64) {
        let mut map = self.map_mut();
        if let Some(run) = map.runs.remove(&block) {
            self.blocks.fetch_sub(map.beyond_visible(block, run), Ordering::Relaxed);
        }
    }

    /// Every extent of the file that is in the store, by its first block.
    pub(super) fn runs(&self) -> Vec<(u64, Run)> {
        self.map().runs.iter().map(|(block, run)| (*block, *run)).collect()
    }

    /// How much of the lower layer still shows, in bytes; `None` for a new file.
    pub(super) fn visible(&self) -> Option<u64> {
        self.map().visible
    }
}

impl Drop for UpperFile {
    fn drop(&mut self) {
        let map = self.map.get_mut().unwrap_or_else(PoisonError::into_inner);
        for run in std::mem::take(&mut map.runs).into_values() {
            self.storage.store.release(run);
        }
    }
}

#[cfg(test)]
mod tests;
