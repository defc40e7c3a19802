//! What is put into a RAM disk.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use super::cpio::{Header, type_bits};
use super::tree::Step;
use crate::rootfs::{Ino, Kind, Lower};

/// Bytes that are copied at a time.
const CHUNK: u64 = 256 << 10;

/// Permission bits, owner and time of what is put into a RAM disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with set-id and sticky, 0..=0o7777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change, in seconds since 1970.
    pub mtime: u32,
}

impl Meta {
    /// Something of root's.
    pub const fn of_root(mode: u32, mtime: u32) -> Self {
        Self { mode, uid: 0, gid: 0, mtime }
    }
}

/// Something that was put into a RAM disk; it may have several names if it is no directory.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) meta: Meta,
    /// Major and minor number of a device.
    pub(super) device: [u32; 2],
    pub(super) data: Data,
}

/// Content of a file, or target of a symbolic link.
#[derive(Debug)]
pub(super) enum Data {
    Bytes(Vec<u8>),
    /// In the archive of the RAM disk as it was read.
    Base(Range<usize>),
    /// A file of a tar: it is read when the RAM disk is written.
    Tar {
        archive: Arc<Lower>,
        ino: Ino,
        size: u64,
    },
}

impl Inode {
    pub(super) fn new(kind: Kind, meta: Meta, data: Vec<u8>) -> Self {
        Self { kind, meta, device: [0, 0], data: Data::Bytes(data) }
    }

    /// What a member of an archive made, with the data at `data` in it; `None` if it is of no type.
    pub(super) fn of_member(header: &Header, data: Range<usize>) -> Option<Self> {
        let Header { mode, uid, gid, mtime, device, .. } = *header;
        let meta = Meta { mode: mode & 0o7777, uid, gid, mtime };
        Some(Self { kind: header.kind()?, meta, device, data: Data::Base(data) })
    }

    /// What it is to a path that leads through it; `base` is the archive as it was read.
    pub(super) fn step<'d>(&'d self, base: &'d [u8]) -> Step<'d> {
        match (self.kind, &self.data) {
            (Kind::Directory, _) => Step::Directory,
            (Kind::Symlink, Data::Bytes(target)) => Step::Link(target),
            (Kind::Symlink, Data::Base(range)) => Step::Link(base.get(range.clone()).unwrap_or_default()),
            _ => Step::Other,
        }
    }

    /// Its header, with the number `id` and so many names.
    pub(super) fn header(&self, id: [u32; 3], names: u32) -> Header {
        let Meta { mode, uid, gid, mtime } = self.meta;
        let links = if self.kind == Kind::Directory { 2 } else { names };
        Header { id, mode: type_bits(self.kind) | mode & 0o7777, uid, gid, links, mtime, device: self.device }
    }
}

impl Data {
    /// Its length in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Base(range) => range.len() as u64,
            Self::Tar { size, .. } => *size,
        }
    }

    /// Copies its first `limit` bytes to `out`; `base` is the archive as it was read.
    ///
    /// # Errors
    /// Those of `out` and of the tar.
    pub(super) fn copy_to(&self, base: &[u8], limit: u64, out: &mut dyn Write) -> io::Result<()> {
        let first = |bytes: &[u8], out: &mut dyn Write| {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            out.write_all(bytes.get(..limit).unwrap_or(bytes))
        };
        match self {
            Self::Bytes(bytes) => first(bytes, out),
            Self::Base(range) => first(base.get(range.clone()).unwrap_or_default(), out),
            Self::Tar { archive, ino, size } => {
                let (mut at, end) = (0, limit.min(*size));
                let mut buffer = vec![0; CHUNK.min(end) as usize];
                while at < end {
                    let count = CHUNK.min(end - at);
                    let (chunk, _) = buffer.split_at_mut(count as usize);
                    archive.read(*ino, at, chunk).map_err(io::Error::other)?;
                    out.write_all(chunk)?;
                    at += count;
                }
                Ok(())
            }
        }
    }

    /// The sum of its bytes, as the variant of `newc` with sums wants it.
    ///
    /// # Errors
    /// Those of the tar.
    pub(super) fn sum(&self, base: &[u8]) -> io::Result<u32> {
        let mut sum = Sum(0);
        self.copy_to(base, u64::MAX, &mut sum)?;
        Ok(sum.0)
    }
}

/// Sums up what is written to it.
struct Sum(u32);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = bytes.iter().fold(self.0, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
