//! A squashfs image as a root filesystem.
//!
//! The library reads tables and data. It would make the tree as well, but by recursion, and without the inode numbers that
//! tell hard links; so the directory table is read here. Its sizes are checked before the library unpacks them.
//!
//! Source: Linux, Documentation/filesystems/squashfs.rst, §3; the layout of directories is that of `struct
//! squashfs_dir_header` and `struct squashfs_dir_entry`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use backhand::kind::{Kind as Dialect, LE_V4_0};
use backhand::v4::inode::{BasicDirectory, InodeInner};
use backhand::{FilesystemReader, Inode, Squashfs, SquashfsFileReader, SuperBlock};

use super::notes::Names;
use super::{ImageFormat, ImageProblem, MAX_FILES, Proceed, SourceError};
use crate::rootfs::meta::Meta;
use crate::rootfs::tar_writer::{Body, TarWriter};
use crate::rootfs::tree::MAX_TARGET;
use crate::rootfs::{Kind, Timestamp};

/// First bytes of an image.
pub(super) const MAGIC: &[u8] = b"hsqs";
/// Bytes of a metadata block, unpacked.
const METADATA_BLOCK: u64 = 8 << 10;
/// Bytes of all inodes or all directories, unpacked: they are held in memory.
const MAX_TABLE: u64 = 256 << 20;
/// Blocks of several files' ends that an image may have.
const MAX_FRAGMENTS: u32 = 1 << 20;
/// Index that an inode without extended attributes has.
const NO_ATTRIBUTES: u32 = u32::MAX;
/// The size that a directory states is larger by this than its entries are.
const EMPTY_DIRECTORY: u32 = 3;
/// Bytes before the entries of a directory, and before an entry's name.
const DIRECTORY_HEADER: usize = 12;
const ENTRY_HEADER: usize = 8;

/// Writes everything in the image at `path` to `out` as a tar; returns what the user should know about it.
pub(super) fn write_tar(
    path: &Path,
    out: &mut dyn Write,
    proceed: Proceed<'_>,
) -> Result<Vec<String>, SourceError> {
    let image =
        Image::open(path).map_err(|problem| SourceError::Image { format: ImageFormat::Squashfs, problem })?;
    let mut export = Export {
        image: &image,
        tar: TarWriter::new(out),
        first_names: HashMap::new(),
        directories: HashSet::new(),
        with_attributes: Names::default(),
        sockets: Names::default(),
    };
    export.all(proceed)?;
    export.tar.finish()?;
    let notes = [
        export.sockets.note("sockets are left out"),
        export.with_attributes.note("extended attributes of a squashfs image are not kept"),
    ];
    Ok(notes.into_iter().flatten().collect())
}

/// An image whose tables were read.
struct Image {
    root: u32,
    inodes: HashMap<u32, Inode>,
    /// Unpacked, and where in it which block begins.
    directories: Vec<u8>,
    directory_blocks: HashMap<u64, u64>,
    owners: Vec<u32>,
    /// Reads the data of files.
    files: FilesystemReader<'static>,
}

/// A name in a directory.
struct Name {
    bytes: Vec<u8>,
    inode: u32,
}

impl Image {
    fn open(path: &Path) -> Result<Self, ImageProblem> {
        let mut file = BufReader::new(File::open(path)?);
        let dialect =
            Dialect::from_const(LE_V4_0).map_err(|_| ImageProblem::Damaged("not of version 4.0"))?;
        let (superblock, _) = Squashfs::superblock_and_compression_options(&mut file, &dialect)?;
        check(&mut file, &superblock)?;
        file.rewind()?;
        let mut squashfs = Squashfs::from_reader(file)?;
        let root = squashfs.root_inode.header.inode_number;
        let inodes = std::mem::take(&mut squashfs.inodes).into_iter().collect();
        let (blocks, directories) = std::mem::take(&mut squashfs.dir_blocks);
        let owners = squashfs.id.iter().map(|id| id.num).collect();
        // What is left has one empty directory.
        squashfs.root_inode.inner = InodeInner::BasicDirectory(BasicDirectory {
            block_index: 0,
            link_count: 2,
            file_size: EMPTY_DIRECTORY as u16,
            block_offset: 0,
            parent_inode: root,
        });
        let files = squashfs.into_filesystem_reader()?;
        let directory_blocks = blocks.into_iter().collect();
        Ok(Self { root, inodes, directories, directory_blocks, owners, files })
    }

    /// The names in a directory; `None` if `inode` is none.
    fn names(&self, inode: &Inode) -> Result<Option<Vec<Name>>, ImageProblem> {
        let (block, offset, size) = match &inode.inner {
            InodeInner::BasicDirectory(is) => (is.block_index, is.block_offset, u32::from(is.file_size)),
            InodeInner::ExtendedDirectory(is) => (is.block_index, is.block_offset, is.file_size),
            _ => return Ok(None),
        };
        let damaged = ImageProblem::Damaged("a directory goes past the table of directories");
        let size = size.saturating_sub(EMPTY_DIRECTORY) as usize;
        if size == 0 {
            return Ok(Some(Vec::new()));
        }
        let start =
            self.directory_blocks.get(&u64::from(block)).and_then(|start| usize::try_from(*start).ok());
        let start = start.and_then(|start| start.checked_add(offset.into()));
        let bytes = start.and_then(|start| self.directories.get(start..start.checked_add(size)?));
        parse_directory(bytes.ok_or(damaged)?).map(Some)
    }

    fn meta(&self, inode: &Inode, kind: Kind) -> Result<Meta, ImageProblem> {
        let header = &inode.header;
        let owner = |index: u16| {
            self.owners
                .get(usize::from(index))
                .copied()
                .ok_or(ImageProblem::Damaged("an owner is not in its table"))
        };
        let mtime = Timestamp { seconds: header.mtime, nanoseconds: 0 };
        let number = match &inode.inner {
            InodeInner::BasicCharacterDevice(is) | InodeInner::BasicBlockDevice(is) => is.device_number,
            InodeInner::ExtendedCharacterDevice(is) | InodeInner::ExtendedBlockDevice(is) => is.device_number,
            _ => 0,
        };
        Ok(Meta {
            kind,
            mode: u32::from(header.permissions) & 0o7777,
            nlink: 1,
            uid: owner(header.uid)?,
            gid: owner(header.gid)?,
            // As the kernel's new_decode_dev() has it.
            device: (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xf_ff00),
            atime: mtime,
            mtime,
            ctime: mtime,
        })
    }
}

/// Checks what the library believes of the superblock.
fn check(file: &mut BufReader<File>, superblock: &SuperBlock) -> Result<(), ImageProblem> {
    let limit = MAX_FILES as u64;
    if u64::from(superblock.inode_count) > limit {
        return Err(ImageProblem::TooLarge { what: "files and directories", limit });
    }
    if superblock.frag_count > MAX_FRAGMENTS {
        return Err(ImageProblem::TooLarge { what: "fragments", limit: MAX_FRAGMENTS.into() });
    }
    // What comes behind the directories is not larger than they could be.
    let end = [superblock.frag_table, superblock.export_table, superblock.id_table].into_iter().min();
    check_table(file, superblock.inode_table, superblock.dir_table)?;
    check_table(file, superblock.dir_table, end.unwrap_or_default())
}

/// Counts the metadata blocks from byte `at` to byte `end`: each begins with its packed length.
fn check_table(file: &mut BufReader<File>, mut at: u64, end: u64) -> Result<(), ImageProblem> {
    let mut unpacked = 0;
    while at < end && unpacked <= MAX_TABLE {
        let mut length = [0; 2];
        file.seek(SeekFrom::Start(at))?;
        match file.read_exact(&mut length) {
            // The library says so better.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        at += 2 + u64::from(u16::from_le_bytes(length) & 0x7fff);
        unpacked += METADATA_BLOCK;
    }
    if unpacked > MAX_TABLE {
        return Err(ImageProblem::TooLarge { what: "bytes of inodes or directories", limit: MAX_TABLE });
    }
    Ok(())
}

fn parse_directory(mut bytes: &[u8]) -> Result<Vec<Name>, ImageProblem> {
    const DAMAGED: ImageProblem = ImageProblem::Damaged("the entries of a directory are cut off");
    let mut names = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_first_chunk::<DIRECTORY_HEADER>().ok_or(DAMAGED)?;
        bytes = rest;
        let [c0, c1, c2, c3, _, _, _, _, i0, i1, i2, i3] = *header;
        let base = u32::from_le_bytes([i0, i1, i2, i3]);
        for _ in 0..=u32::from_le_bytes([c0, c1, c2, c3]) {
            let (entry, rest) = bytes.split_first_chunk::<ENTRY_HEADER>().ok_or(DAMAGED)?;
            let [_, _, d0, d1, _, _, l0, l1] = *entry;
            let length = usize::from(u16::from_le_bytes([l0, l1])) + 1;
            let (name, rest) = rest.split_at_checked(length).ok_or(DAMAGED)?;
            bytes = rest;
            if name.contains(&b'/') || name.contains(&0) || name == b"." || name == b".." {
                return Err(ImageProblem::Damaged("a name in a directory cannot be one"));
            }
            let inode = base.wrapping_add_signed(i16::from_le_bytes([d0, d1]).into());
            names.push(Name { bytes: name.to_vec(), inode });
        }
    }
    Ok(names)
}

struct Export<'i, W: Write> {
    image: &'i Image,
    tar: TarWriter<W>,
    /// By inode number.
    first_names: HashMap<u32, Vec<u8>>,
    directories: HashSet<u32>,
    with_attributes: Names,
    sockets: Names,
}

impl<W: Write> Export<'_, W> {
    /// Writes all files; a directory before what is in it.
    fn all(&mut self, proceed: Proceed<'_>) -> Result<(), SourceError> {
        let mut left = vec![(b"./".to_vec(), self.image.root)];
        let mut count = 0;
        while let Some((mut path, number)) = left.pop() {
            proceed()?;
            let member = |problem| SourceError::Member {
                format: ImageFormat::Squashfs,
                member: String::from_utf8_lossy(&path).into_owned(),
                problem,
            };
            count += 1;
            if count > MAX_FILES || path.len() > MAX_TARGET {
                let (what, limit) = if count > MAX_FILES {
                    ("files and directories", MAX_FILES as u64)
                } else {
                    ("bytes of a path", MAX_TARGET as u64)
                };
                return Err(member(ImageProblem::TooLarge { what, limit }));
            }
            let inode = self.image.inodes.get(&number);
            let inode = inode.ok_or(ImageProblem::Damaged("its inode is missing")).map_err(member)?;
            let names = self.image.names(inode).map_err(member)?;
            if let Some(names) = names {
                if !self.directories.insert(number) {
                    return Err(member(ImageProblem::Damaged("a directory with two names")));
                }
                if !path.ends_with(b"/") {
                    path.push(b'/');
                }
                let children =
                    names.into_iter().rev().map(|name| ([&*path, &name.bytes].concat(), name.inode));
                left.extend(children);
            }
            self.member(&path, inode).map_err(|problem| SourceError::Member {
                format: ImageFormat::Squashfs,
                member: String::from_utf8_lossy(&path).into_owned(),
                problem,
            })?;
        }
        Ok(())
    }

    fn member(&mut self, path: &[u8], inode: &Inode) -> Result<(), ImageProblem> {
        let facts = Facts::of(inode);
        if facts.kind == Kind::Socket {
            self.sockets.push(path);
            return Ok(());
        }
        if facts.has_attributes {
            self.with_attributes.push(path);
        }
        let meta = self.image.meta(inode, facts.kind)?;
        if facts.links > 1 && facts.kind != Kind::Directory {
            let number = inode.header.inode_number;
            if let Some(first) = self.first_names.get(&number) {
                return Ok(self.tar.member(path, &meta, &[], Body::HardLink(first))?);
            }
            self.first_names.insert(number, path.to_vec());
        }
        let file = match &inode.inner {
            InodeInner::BasicFile(file) => SquashfsFileReader::Basic(file.clone()),
            InodeInner::ExtendedFile(file) => SquashfsFileReader::Extended(file.clone()),
            InodeInner::BasicSymlink(link) => {
                return Ok(self.tar.member(path, &meta, &[], Body::Symlink(&link.target_path))?);
            }
            InodeInner::ExtendedSymlink(link) => {
                return Ok(self.tar.member(path, &meta, &[], Body::Symlink(&link.target_path))?);
            }
            _ => return Ok(self.tar.member(path, &meta, &[], Body::None)?),
        };
        let mut data = self.image.files.file(&file).reader_checked()?;
        Ok(self.tar.member(path, &meta, &[], Body::File { size: file.file_len() as u64, data: &mut data })?)
    }
}

/// What an inode is, of whichever of the fourteen types.
struct Facts {
    kind: Kind,
    links: u32,
    has_attributes: bool,
}

impl Facts {
    fn of(inode: &Inode) -> Self {
        let (kind, links, attributes) = match &inode.inner {
            InodeInner::BasicDirectory(is) => (Kind::Directory, is.link_count, NO_ATTRIBUTES),
            InodeInner::ExtendedDirectory(is) => (Kind::Directory, is.link_count, is.xattr_index),
            InodeInner::BasicFile(_) => (Kind::Regular, 1, NO_ATTRIBUTES),
            InodeInner::ExtendedFile(is) => (Kind::Regular, is.link_count, is.xattr_index),
            InodeInner::BasicSymlink(is) => (Kind::Symlink, is.link_count, NO_ATTRIBUTES),
            InodeInner::ExtendedSymlink(is) => (Kind::Symlink, is.link_count, is.xattr_index),
            InodeInner::BasicBlockDevice(is) => (Kind::BlockDevice, is.link_count, NO_ATTRIBUTES),
            InodeInner::ExtendedBlockDevice(is) => (Kind::BlockDevice, is.link_count, is.xattr_index),
            InodeInner::BasicCharacterDevice(is) => (Kind::CharacterDevice, is.link_count, NO_ATTRIBUTES),
            InodeInner::ExtendedCharacterDevice(is) => (Kind::CharacterDevice, is.link_count, is.xattr_index),
            InodeInner::BasicNamedPipe(is) => (Kind::Fifo, is.link_count, NO_ATTRIBUTES),
            InodeInner::ExtendedNamedPipe(is) => (Kind::Fifo, is.link_count, is.xattr_index),
            InodeInner::BasicSocket(is) => (Kind::Socket, is.link_count, NO_ATTRIBUTES),
            InodeInner::ExtendedSocket(is) => (Kind::Socket, is.link_count, is.xattr_index),
        };
        Self { kind, links, has_attributes: attributes != NO_ATTRIBUTES }
    }
}

#[cfg(test)]
mod tests;
