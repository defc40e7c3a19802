//! A RAM disk written: what was in it byte for byte, and what was put into it behind that.

use std::io::{self, Write};

use super::cpio::Writer;
use super::disk::Ramdisk;
use super::error::RamdiskError;
use super::packing::MAX_RAMDISK;
use super::tree::Node;
use crate::rootfs::Kind;

/// Bytes of a member besides its name and its data, at most: its header, and what fills it up.
const MEMBER: u64 = 120;

impl Ramdisk {
    /// Whether it is small enough to be written, and read again.
    pub(super) fn check_size(&self) -> Result<(), RamdiskError> {
        let new = self.new_members().map(|(path, index)| {
            let data = self.inodes.get(index).map_or(0, |inode| inode.data.size());
            data.saturating_add(MEMBER + path.len() as u64)
        });
        let before = self.before.len() + self.packed_before.len() + self.base.bytes.len();
        match new.fold(before as u64, u64::saturating_add) <= MAX_RAMDISK {
            true => Ok(()),
            false => Err(RamdiskError::TooLarge { limit: MAX_RAMDISK }),
        }
    }

    /// Writes all but U-Boot's header.
    pub(super) fn write_image(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.before)?;
        self.packing.pack(out, |out| {
            out.write_all(&self.packed_before)?;
            self.write_archive(out)
        })
    }

    fn write_archive(&self, out: &mut dyn Write) -> io::Result<()> {
        let bytes = &self.base.bytes;
        let copy = |begin: usize, end: usize, out: &mut dyn Write| {
            out.write_all(bytes.get(begin..end).unwrap_or_default())
        };
        let mut begin = 0;
        for (member, _) in
            self.base.archive.members.iter().zip(&self.is_gone).filter(|(_, is_gone)| **is_gone)
        {
            copy(begin, member.whole.start, out)?;
            begin = member.whole.end;
        }
        copy(begin, self.base.archive.trailer, out)?;
        self.write_new(out)?;
        copy(self.base.archive.trailer, bytes.len(), out)
    }

    /// Writes what was put into it: directories before what is in them; of several names of a file the last one has its data,
    /// as `cpio` wants it.
    fn write_new(&self, out: &mut dyn Write) -> io::Result<()> {
        let bytes = &self.base.bytes;
        let mut names = vec![0_u32; self.inodes.len()];
        for (_, index) in self.new_members() {
            names.iter_mut().skip(index).take(1).for_each(|count| *count += 1);
        }
        let mut left = names.clone();
        let [major, minor] = self.base.free_device();
        let mut writer = Writer { out, has_sums: self.base.archive.has_sums };
        for (path, index) in self.new_members() {
            let (Some(inode), Some(left), Some(names)) =
                (self.inodes.get(index), left.get_mut(index), names.get(index))
            else {
                continue;
            };
            *left -= 1;
            let header = inode.header([index as u32 + 1, major, minor], *names);
            let name = if self.has_dot { [b"./", path].concat() } else { path.to_vec() };
            if inode.kind == Kind::Regular && *left > 0 {
                writer.member(&name, &header, (0, 0), |_| Ok(()))?;
                continue;
            }
            let size = u32::try_from(inode.data.size()).map_err(|_| io::ErrorKind::FileTooLarge)?;
            let sum = if writer.has_sums { inode.data.sum(bytes)? } else { 0 };
            writer.member(&name, &header, (size, sum), |out| inode.data.copy_to(bytes, u64::MAX, out))?;
        }
        Ok(())
    }

    /// The paths of what was put into it, and the numbers.
    fn new_members(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.tree.iter().filter_map(|(path, node)| match node {
            Node::New(index) => Some((path, index)),
            _ => None,
        })
    }
}
