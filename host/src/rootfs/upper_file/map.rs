//! Which block of a file is which block of the store.

use std::collections::BTreeMap;

use crate::rootfs::block_store::{BLOCK, Run};

#[derive(Debug, Default)]
pub(super) struct Map {
    /// How much of the same inode's data in the lower layer still shows, in bytes; `None` for a new file.
    pub(super) visible: Option<u64>,
    /// Blocks in the store by block of the file; neighbours in both are merged.
    pub(super) runs: BTreeMap<u64, Run>,
}

impl Map {
    /// The run that holds `block`: block of the store, and how many follow, itself included.
    pub(super) fn locate(&self, block: u64) -> Option<Run> {
        let (&first, run) = self.runs.range(..=block).next_back()?;
        let skip = block - first;
        (skip < run.count).then(|| Run { start: run.start + skip, count: run.count - skip })
    }

    /// How many blocks from `block` on are not in the store, at most `limit`.
    pub(super) fn gap(&self, block: u64, limit: u64) -> u64 {
        self.runs.range(block..).next().map_or(limit, |(&next, _)| (next - block).min(limit))
    }

    /// The extents of `first..past` that are in the store, and those that are not, both by block of the file.
    pub(super) fn extents(&self, first: u64, past: u64) -> (Vec<(u64, Run)>, Vec<Run>) {
        let (mut stored, mut gaps) = (Vec::new(), Vec::new());
        let mut block = first;
        while block < past {
            let count = match self.locate(block) {
                Some(run) => {
                    let count = run.count.min(past - block);
                    stored.push((block, Run { count, ..run }));
                    count
                }
                None => {
                    let count = self.gap(block, past - block);
                    gaps.push(Run { start: block, count });
                    count
                }
            };
            block += count;
        }
        (stored, gaps)
    }

    /// Blocks of the file that show the lower layer, or did before they were written.
    pub(super) fn visible_blocks(&self) -> u64 {
        self.visible.unwrap_or_default().div_ceil(BLOCK)
    }

    /// How many blocks of `run`, which is at `block` of the file, lie beyond those of [`Map::visible_blocks`].
    pub(super) fn beyond_visible(&self, block: u64, run: Run) -> u64 {
        (block + run.count).saturating_sub(block.max(self.visible_blocks()))
    }

    /// Blocks of the file that are somewhere: in the store, or in the lower layer.
    pub(super) fn blocks(&self) -> u64 {
        let stored = self.runs.iter().map(|(block, run)| self.beyond_visible(*block, *run));
        self.visible_blocks() + stored.sum::<u64>()
    }

    pub(super) fn insert(&mut self, block: u64, run: Run) {
        if let Some((&first, before)) = self.runs.range_mut(..block).next_back()
            && first + before.count == block
            && before.start + before.count == run.start
        {
            before.count += run.count;
            return;
        }
        self.runs.insert(block, run);
    }

    /// Removes everything from `block` on.
    pub(super) fn split_off(&mut self, block: u64) -> Vec<Run> {
        let mut removed: Vec<Run> = self.runs.split_off(&block).into_values().collect();
        if let Some((&first, run)) = self.runs.range_mut(..block).next_back()
            && first + run.count > block
        {
            let kept = block - first;
            removed.push(Run { start: run.start + kept, count: run.count - kept });
            run.count = kept;
        }
        removed
    }
}
