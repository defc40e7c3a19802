//! The lower layer: an immutable table of inodes over a tar whose data is read in place.
//!
//! Inode numbers are dense from [`Ino::ROOT`]. Names and link targets share one arena; the entries of a directory lie
//! together, sorted by name, so that a look-up is a binary search and a place in the listing is a stable cookie.

mod check;
mod saved;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::FIRST_COOKIE;
use super::meta::Meta;
use super::sparse::Extent;
use super::{Attributes, FsError, Ino, Kind, RootfsError, page_cache, tar_index};

/// Largest file, in bytes: what programs on the board can address.
pub(super) const MAX_FILE: u64 = i64::MAX as u64;

/// An index over a root filesystem in a tar; immutable, shared by all layers on it.
#[derive(Debug)]
pub struct Lower {
    pub(super) file: File,
    /// Length of the archive, in bytes.
    pub(super) archive: u64,
    pub(super) inodes: Vec<LowerInode>,
    pub(super) entries: Vec<LowerEntry>,
    pub(super) names: Vec<u8>,
    pub(super) extents: Vec<Extent>,
    /// In the order of their inodes.
    pub(super) attributes: Vec<LowerAttribute>,
    pub(super) attribute_bytes: Vec<u8>,
    pub(super) bytes: u64,
}

/// One inode of the lower layer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct LowerInode {
    pub(super) meta: Meta,
    pub(super) size: u64,
    pub(super) content: LowerContent,
}

/// Where the content of an inode is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum LowerContent {
    /// At this offset of the archive.
    Data { offset: u64 },
    /// In a span of the table of extents; between them are holes.
    Sparse { first: u32, count: u32 },
    /// In a span of the table of entries.
    Directory { first: u32, count: u32, parent: Ino },
    /// Target of a symbolic link, in the arena.
    Target(Name),
    /// Devices, fifos, sockets.
    None,
}

/// A span of the arena.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Name {
    pub(super) start: u32,
    pub(super) length: u16,
}

/// A name in a directory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct LowerEntry {
    pub(super) name: Name,
    pub(super) ino: Ino,
}

/// An extended attribute of an inode: NFSv3 cannot show it, but it is there when the root filesystem is exported.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct LowerAttribute {
    pub(super) ino: Ino,
    /// Key of its pax record.
    pub(super) key: Span,
    pub(super) value: Span,
}

/// A span of the bytes of extended attributes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// Tells one lower layer from another: a layer fits only the one that it was made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LowerIdentity {
    /// Bytes of the archive.
    archive: u64,
    /// Number of inodes.
    inodes: u32,
    /// CRC-32 of names, numbers and places.
    checksum: u32,
}

impl Lower {
    /// Indexes the uncompressed tar at `path`: headers are read once, data never.
    ///
    /// Understands v7, ustar, GNU and pax archives with long names, names that are not UTF-8, hard links (to later members
    /// too), devices, fifos, extended attributes and sparse members of all formats. A later member replaces an earlier one of the same name; missing parent
    /// directories appear with mode 0755, owned by root.
    ///
    /// # Errors
    /// [`RootfsError`]: no archive, a member that is refused (by name), or more members than the index can hold.
    pub fn from_tar(path: &Path) -> Result<Self, RootfsError> {
        tar_index::index(path)
    }

    /// Number of inodes.
    pub fn inode_count(&self) -> u64 {
        self.inodes.len() as u64
    }

    /// Sum of the sizes of all files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What tells this lower layer from others.
    pub(super) fn identity(&self) -> LowerIdentity {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.names);
        for entry in &self.entries {
            hasher.update(&entry.ino.get().to_le_bytes());
        }
        for inode in &self.inodes {
            hasher.update(&inode.size.to_le_bytes());
            hasher.update(&[inode.meta.mode.to_le_bytes(), inode.meta.mtime.seconds.to_le_bytes()].concat());
        }
        LowerIdentity { archive: self.archive, inodes: self.inodes.len() as u32, checksum: hasher.finalize() }
    }

    pub(super) fn get(&self, ino: Ino) -> Option<&LowerInode> {
        self.inodes.get((ino.get() - Ino::ROOT.get()) as usize)
    }

    /// What is known about an inode besides its data; `None` if there is none.
    pub(crate) fn attributes_of(&self, ino: Ino) -> Option<Attributes> {
        let LowerInode { meta, size, .. } = *self.get(ino)?;
        let Meta { kind, mode, nlink, uid, gid, device, atime, mtime, ctime } = meta;
        Some(Attributes { ino, kind, mode, nlink, uid, gid, size, used: size, device, atime, mtime, ctime })
    }

    /// The first inode number that is not in use here.
    pub(super) fn next_ino(&self) -> Option<Ino> {
        Ino::new(u32::try_from(self.inodes.len()).ok()?.checked_add(Ino::ROOT.get())?)
    }

    /// Bytes of memory that the tables take.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.inodes.capacity() * size_of::<LowerInode>()
            + self.entries.capacity() * size_of::<LowerEntry>()
            + self.extents.capacity() * size_of::<Extent>()
            + self.names.capacity()
            + self.attributes.capacity() * size_of::<LowerAttribute>()
            + self.attribute_bytes.capacity()
    }

    /// The extended attributes of an inode: keys and values of their pax records.
    pub(super) fn extended_attributes(&self, ino: Ino) -> impl Iterator<Item = (&str, &[u8])> {
        let from = self.attributes.partition_point(|attribute| attribute.ino < ino);
        let attributes = self.attributes.get(from..).unwrap_or_default().iter();
        attributes
            .take_while(move |attribute| attribute.ino == ino)
            .filter_map(|attribute| self.attribute(attribute))
    }

    fn attribute(&self, attribute: &LowerAttribute) -> Option<(&str, &[u8])> {
        let bytes = |span: Span| {
            let start = span.start as usize;
            self.attribute_bytes.get(start..start.checked_add(span.length as usize)?)
        };
        Some((str::from_utf8(bytes(attribute.key)?).ok()?, bytes(attribute.value)?))
    }

    fn name(&self, name: Name) -> Option<&[u8]> {
        let start = name.start as usize;
        self.names.get(start..start.checked_add(usize::from(name.length))?)
    }

    fn bytes_of(&self, name: Name) -> &[u8] {
        self.name(name).unwrap_or_default()
    }

    fn entries_of(&self, dir: Ino) -> Result<(&[LowerEntry], Ino), FsError> {
        match self.get(dir).ok_or(FsError::Stale)?.content {
            LowerContent::Directory { first, count, parent } => {
                let first = first as usize;
                Ok((self.entries.get(first..first + count as usize).unwrap_or_default(), parent))
            }
            _ => Err(FsError::NotDirectory),
        }
    }

    /// Looks up `name`, which is not `.` or `..`.
    pub(super) fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino, FsError> {
        let (entries, _) = self.entries_of(dir)?;
        let found = entries.binary_search_by(|entry| self.bytes_of(entry.name).cmp(name));
        found.ok().and_then(|index| entries.get(index)).map(|entry| entry.ino).ok_or(FsError::NotFound)
    }

    /// The parent of a directory; the root's is itself.
    pub(super) fn parent(&self, dir: Ino) -> Result<Ino, FsError> {
        Ok(self.entries_of(dir)?.1)
    }

    /// The names of a directory with cookies above `after`, in the order of the cookies.
    pub(crate) fn list(
        &self,
        dir: Ino,
        after: u32,
    ) -> Result<impl Iterator<Item = (u32, &[u8], Ino)> + use<'_>, FsError> {
        let (entries, _) = self.entries_of(dir)?;
        let skip = after.saturating_sub(FIRST_COOKIE - 1);
        // A board may ask for what comes after the last number there is: the entries come first, and end it.
        let cookies = FIRST_COOKIE.saturating_add(skip)..;
        let entries = entries.get(skip as usize..).unwrap_or_default();
        Ok(entries.iter().zip(cookies).map(|(entry, cookie)| (cookie, self.bytes_of(entry.name), entry.ino)))
    }

    /// The target of a symbolic link.
    pub(crate) fn target(&self, ino: Ino) -> Result<&[u8], FsError> {
        match self.get(ino).ok_or(FsError::Stale)?.content {
            LowerContent::Target(name) => Ok(self.bytes_of(name)),
            _ => Err(FsError::Invalid),
        }
    }

    /// Fills `buffer` from byte `offset` of a regular file; the caller keeps to the file's size.
    pub(crate) fn read(&self, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<(), FsError> {
        match self.get(ino).ok_or(FsError::Stale)?.content {
            LowerContent::Data { offset: start } => self.read_archive(start + offset, buffer),
            LowerContent::Sparse { first, count } => {
                let first = first as usize;
                let extents = self.extents.get(first..first + count as usize).unwrap_or_default();
                self.read_sparse(extents, offset, buffer)
            }
            _ => Err(FsError::Invalid),
        }
    }

    /// Where in the archive the data of a regular file begins, if it lies there in one piece.
    pub(super) fn place(&self, ino: Ino) -> Option<u64> {
        match self.get(ino)?.content {
            LowerContent::Data { offset } => Some(offset),
            _ => None,
        }
    }

    /// The extents of a regular file that are in the archive: offset and length, in order.
    pub(super) fn extents(&self, ino: Ino) -> Vec<(u64, u64)> {
        match self.get(ino) {
            Some(LowerInode { content: LowerContent::Data { .. }, size, .. }) => vec![(0, *size)],
            Some(LowerInode { content: LowerContent::Sparse { first, count }, .. }) => {
                let first = *first as usize;
                let extents = self.extents.get(first..first + *count as usize).unwrap_or_default();
                extents.iter().map(|extent| (extent.offset, extent.length)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether byte `at` of a regular file can be read without waiting; it may be said not to be when it is.
    pub(super) fn is_in_memory(&self, ino: Ino, at: u64) -> bool {
        self.place(ino).is_some_and(|place| page_cache::holds(&self.file, place + at))
    }

    fn read_archive(&self, at: u64, buffer: &mut [u8]) -> Result<(), FsError> {
        self.file.read_exact_at(buffer, at).map_err(|_| FsError::Io)
    }

    fn read_sparse(&self, extents: &[Extent], offset: u64, buffer: &mut [u8]) -> Result<(), FsError> {
        buffer.fill(0);
        let end = offset + buffer.len() as u64;
        let from = extents.partition_point(|extent| extent.offset + extent.length <= offset);
        for extent in extents.get(from..).unwrap_or_default() {
            let (start, past) = (extent.offset.max(offset), (extent.offset + extent.length).min(end));
            if start >= past {
                break;
            }
            let range = (start - offset) as usize..(past - offset) as usize;
            let part = buffer.get_mut(range).ok_or(FsError::Io)?;
            self.read_archive(extent.position + (start - extent.offset), part)?;
        }
        Ok(())
    }

    /// Size of a file, target or directory, in bytes.
    pub(super) fn size(&self, ino: Ino) -> u64 {
        self.get(ino).map_or(0, |inode| inode.size)
    }

    /// Whether `ino` is a regular file here.
    pub(super) fn is_file(&self, ino: Ino) -> bool {
        self.get(ino).is_some_and(|inode| inode.meta.kind == Kind::Regular)
    }
}
