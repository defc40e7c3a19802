//! Whether the tables of a lower layer fit together: what is loaded from a file is believed only then.

use super::{Lower, LowerContent, LowerEntry, LowerInode, MAX_FILE};
use crate::rootfs::sparse::Extent;
use crate::rootfs::tree::{DIRECTORY_SIZE, MAX_NAME, MAX_TARGET};
use crate::rootfs::{Ino, Kind};

impl Lower {
    /// Whether every number leads to what it should: all reads stay within the tables and the archive, names can be
    /// looked up, directories form a tree that every inode is in, and links are counted right.
    pub(crate) fn is_sound(&self) -> bool {
        Check::new(self).is_some_and(|check| check.run().is_some())
    }
}

struct Check<'l> {
    lower: &'l Lower,
    /// Names that lead to each inode.
    links: Vec<u32>,
    /// Entries that belong to a directory already.
    entries: usize,
    bytes: u64,
}

fn holds(condition: bool) -> Option<()> {
    condition.then_some(())
}

impl<'l> Check<'l> {
    fn new(lower: &'l Lower) -> Option<Self> {
        lower.next_ino()?;
        Some(Self { lower, links: vec![0; lower.inodes.len()], entries: 0, bytes: 0 })
    }

    fn run(mut self) -> Option<()> {
        let lower = self.lower;
        holds(lower.parent(Ino::ROOT) == Ok(Ino::ROOT))?;
        for (number, inode) in (Ino::ROOT.get()..).zip(&lower.inodes) {
            self.inode(Ino::new(number)?, inode)?;
        }
        holds(self.entries == lower.entries.len() && self.bytes == lower.bytes)?;
        for (inode, links) in lower.inodes.iter().zip(&self.links).skip(1) {
            let directory = inode.meta.kind == Kind::Directory;
            holds(if directory { *links == 1 } else { *links == inode.meta.nlink && *links > 0 })?;
        }
        self.attributes()
    }

    fn attributes(&self) -> Option<()> {
        let lower = self.lower;
        holds(lower.attributes.is_sorted_by_key(|attribute| attribute.ino))?;
        holds(
            lower
                .attributes
                .iter()
                .all(|attribute| lower.get(attribute.ino).is_some() && lower.attribute(attribute).is_some()),
        )
    }

    fn inode(&mut self, ino: Ino, inode: &LowerInode) -> Option<()> {
        let meta = &inode.meta;
        holds(meta.is_valid())?;
        holds(inode.size <= MAX_FILE)?;
        self.bytes = self.bytes.saturating_add(inode.size);
        match (meta.kind, inode.content) {
            (Kind::Regular, LowerContent::Data { offset }) => {
                holds(offset.checked_add(inode.size)? <= self.lower.archive)
            }
            (Kind::Regular, LowerContent::Sparse { first, count }) => {
                let first = first as usize;
                let extents = self.lower.extents.get(first..first.checked_add(count as usize)?)?;
                self.extents(extents, inode.size)
            }
            (Kind::Directory, LowerContent::Directory { first, .. }) => {
                holds(first as usize == self.entries && inode.size == DIRECTORY_SIZE)?;
                self.directory(ino, inode)
            }
            (Kind::Symlink, LowerContent::Target(name)) => {
                holds(name.length > 0 && usize::from(name.length) < MAX_TARGET)?;
                holds(u64::from(name.length) == inode.size)?;
                holds(!self.lower.name(name)?.contains(&0))
            }
            (Kind::CharacterDevice | Kind::BlockDevice | Kind::Fifo | Kind::Socket, LowerContent::None) => {
                holds(inode.size == 0)
            }
            _ => None,
        }
    }

    fn extents(&self, extents: &[Extent], size: u64) -> Option<()> {
        let mut end = 0;
        for extent in extents {
            holds(extent.offset >= end && extent.length > 0)?;
            end = extent.offset.checked_add(extent.length)?;
            holds(extent.position.checked_add(extent.length)? <= self.lower.archive)?;
        }
        holds(end <= size)
    }

    fn directory(&mut self, dir: Ino, inode: &LowerInode) -> Option<()> {
        let LowerContent::Directory { first, count, .. } = inode.content else { return None };
        let (first, count) = (first as usize, count as usize);
        let entries = self.lower.entries.get(first..first.checked_add(count)?)?;
        let mut before: &[u8] = b"";
        let mut subdirectories = 0;
        for entry in entries {
            let name = self.lower.name(entry.name)?;
            // In order also means: not empty, and not twice.
            holds(name > before && name.len() <= MAX_NAME && name != b"." && name != b"..")?;
            holds(!name.iter().any(|byte| matches!(byte, 0 | b'/')))?;
            before = name;
            subdirectories += u32::from(self.entry(dir, entry)?);
        }
        self.entries += count;
        holds(inode.meta.nlink == subdirectories.checked_add(2)?)
    }

    /// Counts a name; whether it is that of a directory, which lies behind the one that it is in: so there is no circle.
    fn entry(&mut self, dir: Ino, entry: &LowerEntry) -> Option<bool> {
        let lower = self.lower;
        let links = self.links.get_mut((entry.ino.get() - Ino::ROOT.get()) as usize)?;
        *links = links.checked_add(1)?;
        match lower.get(entry.ino)?.content {
            LowerContent::Directory { parent, .. } => holds(entry.ino > dir && parent == dir).map(|()| true),
            _ => Some(false),
        }
    }
}
