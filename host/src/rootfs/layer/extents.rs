//! Which extents of a file are stored somewhere; the rest are holes, which read as zeros.

use super::Layer;
use crate::rootfs::block_store::BLOCK;
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::UpperFile;
use crate::rootfs::{FsError, Ino, Lower};

/// Offset and length, in bytes.
pub(in crate::rootfs) type FileExtent = (u64, u64);

impl Layer {
    /// The extents of a file of `size` bytes that may hold anything but zeros, in order; they do not touch.
    ///
    /// # Errors
    /// [`FsError::Stale`].
    pub(in crate::rootfs) fn extents(&self, ino: Ino, size: u64) -> Result<Vec<FileExtent>, FsError> {
        let tree: &Tree = &self.tree();
        let lower = &self.storage.lower;
        let stored = match tree.upper_file(ino)? {
            Some(file) => of_upper(lower, ino, file).collect(),
            None => lower.extents(ino),
        };
        Ok(united(stored, size))
    }
}

/// What is in the store, and what shows of the lower layer; in no order, and what is changed is there twice.
pub(super) fn of_upper(
    lower: &Lower,
    ino: Ino,
    file: &UpperFile,
) -> impl Iterator<Item = FileExtent> + use<> {
    let visible = file.visible().unwrap_or_default();
    let below = if visible > 0 { lower.extents(ino) } else { Vec::new() };
    let shown =
        below.into_iter().map(move |(offset, length)| (offset, length.min(visible.saturating_sub(offset))));
    in_store(file).chain(shown)
}

/// What is in the store.
pub(super) fn in_store(file: &UpperFile) -> impl Iterator<Item = FileExtent> + use<> {
    let runs = file.runs().into_iter();
    runs.map(|(block, run)| (block.saturating_mul(BLOCK), run.count.saturating_mul(BLOCK)))
}

/// The same bytes in order and without those behind `size`, in as few extents as there are.
pub(super) fn united(mut extents: Vec<FileExtent>, size: u64) -> Vec<FileExtent> {
    extents.sort_unstable();
    let mut united: Vec<FileExtent> = Vec::with_capacity(extents.len());
    for (offset, length) in extents {
        let end = offset.saturating_add(length).min(size);
        match united.last_mut() {
            Some((start, reached)) if offset <= *start + *reached => {
                *reached = (*reached).max(end.saturating_sub(*start));
            }
            _ if offset < end => united.push((offset, end - offset)),
            _ => {}
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_are_put_in_order_and_together() {
        let extents = vec![(20, 5), (0, 4), (22, 1), (4, 2), (40, 20), (9, 0), (70, 5)];
        assert_eq!(united(extents, 50), [(0, 6), (20, 5), (40, 10)]);
        assert_eq!(united(vec![(0, u64::MAX), (3, 4)], 10), [(0, 10)]);
        assert_eq!(united(vec![(0, 0)], 10), []);
    }
}
