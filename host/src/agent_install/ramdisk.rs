//! A RAM disk: a cpio archive, compressed or not, with or without U-Boot's header before it.
//!
//! The kernel takes several archives one after the other; the last one is the root filesystem, those before it (microcode) are
//! left alone.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::compressed::{compress, copy_decompressed};
use super::cpio::{Archive, MAGICS, Member, New};
use super::error::InstallError;
use super::lz4;
use super::names::{Names, normal};
use super::replace::replace;
use super::tree::{Change, Found, Tree};
use super::uimage;
use crate::artifact::Compression;

/// Most bytes of a RAM disk, decompressed or not: more than any board has memory for.
const MAX_RAMDISK: u64 = 1 << 30;

/// Types of `st_mode`.
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// A RAM disk as a root filesystem.
pub(super) struct Ramdisk {
    path: PathBuf,
    header: Option<[u8; uimage::HEADER]>,
    /// Archives before the last one, as they are in the file.
    before: Vec<u8>,
    packing: Packing,
    /// The last archive and what fills it up.
    bytes: Vec<u8>,
    archive: Archive,
    names: Names,
    has_dot: bool,
}

/// How an archive is packed.
#[derive(Clone, Copy, Debug)]
enum Packing {
    Plain,
    /// As other files are, too.
    Usual(Compression),
    Lz4,
}

/// Whether `begin` may begin a RAM disk that is not packed as other files are, too.
pub(super) fn begins_ramdisk(begin: &[u8]) -> bool {
    uimage::is_image(begin) || begin.starts_with(&lz4::MAGIC) || is_archive(begin)
}

fn is_archive(begin: &[u8]) -> bool {
    MAGICS.iter().any(|magic| begin.starts_with(magic))
}

/// What is wrong with a file that begins with `begin`, if it is packed in a way, or an archive of a kind, that is known and not
/// supported.
pub(super) fn unsupported(begin: &[u8]) -> Option<InstallError> {
    let known: [(&[u8], &str, &str); 6] = [
        (
            b"\x04\x22\x4d\x18",
            "packed with LZ4 in the format that the kernel does not unpack",
            "pack a RAM disk with `lz4 -l`, as the kernel wants it, or with gzip, bzip2, xz or zstd, and a tar with one of these",
        ),
        (
            b"\x89LZO",
            "packed with LZO",
            "unpack it with `lzop -d`, and pack it with gzip, bzip2, xz or zstd, or a RAM disk with `lz4 -l`",
        ),
        (
            b"\x5d\0\0",
            "packed with LZMA",
            "unpack it with `xz -d --format=lzma`, and pack it with gzip, bzip2, xz or zstd, or a RAM disk with `lz4 -l`",
        ),
        (b"070707", OLD_CPIO, NEW_CPIO),
        (b"\xc7\x71", OLD_CPIO, NEW_CPIO),
        (b"\x71\xc7", OLD_CPIO, NEW_CPIO),
    ];
    let (_, found, help) = known.into_iter().find(|(magic, ..)| begin.starts_with(magic))?;
    Some(InstallError::Unsupported { found, help })
}

const OLD_CPIO: &str = "a cpio archive of an old format";
const NEW_CPIO: &str = "make it in the format that the kernel knows: `cpio -o -H newc`";

impl Ramdisk {
    /// Opens the RAM disk at `path`.
    ///
    /// # Errors
    /// Those of the file; [`InstallError::Ramdisk`] if it is none or damaged.
    pub(super) fn open(path: &Path) -> Result<Self, InstallError> {
        let failed = InstallError::io("read", path);
        let mut whole = Vec::new();
        let file = File::open(path).map_err(InstallError::io("open", path))?;
        file.take(MAX_RAMDISK + 1).read_to_end(&mut whole).map_err(&failed)?;
        if whole.len() as u64 > MAX_RAMDISK {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        let (header, image) = match uimage::is_image(&whole) {
            true => uimage::parse(&whole).map(|(header, data)| (Some(*header), data))?,
            false => (None, &*whole),
        };
        let Last { begin, packing, bytes } = last_archive(path, image)?;
        let before = image.get(..begin).unwrap_or_default().to_vec();
        let archive = Archive::parse(&bytes)?;
        let mut names = Names::default();
        for (index, member) in archive.members.iter().enumerate() {
            names.add(&member.name, index);
        }
        let has_dot = archive.members.get(1).is_some_and(|member| member.name.starts_with(b"./"));
        Ok(Self { path: path.to_owned(), header, before, packing, bytes, archive, names, has_dot })
    }

    fn member(&self, path: &str) -> Option<&Member> {
        self.names.get(path).flatten().and_then(|index| self.archive.members.get(index))
    }

    /// The bytes of the member at `path`: of hard links only one has them.
    fn data(&self, path: &str) -> &[u8] {
        let data = self.member(path).and_then(|member| {
            let mut of_file = self.archive.members.iter().filter(|other| other.id == member.id);
            let full = of_file.find(|other| other.mode & TYPE == FILE && !other.data.is_empty());
            let full = full.filter(|_| member.mode & TYPE == FILE && member.data.is_empty());
            self.bytes.get(full.unwrap_or(member).data.clone())
        });
        data.unwrap_or_default()
    }

    /// The archive with `changes`.
    fn changed(&self, changes: &[Change]) -> Vec<u8> {
        let replaced: BTreeSet<&str> = changes.iter().map(Change::path).collect();
        let mut out = Vec::with_capacity(self.bytes.len());
        for member in &self.archive.members {
            if !normal(&member.name).is_some_and(|name| replaced.contains(name.as_str())) {
                out.extend_from_slice(self.bytes.get(member.whole.clone()).unwrap_or_default());
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mtime = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        for (inode, change) in (self.archive.free_inode()..).zip(changes) {
            let (mode, data) = match change {
                Change::MakeDirectory(_) => (DIRECTORY | 0o755, &b""[..]),
                Change::Write { mode, content, .. } => (FILE | mode, &**content),
                Change::Link { target, .. } => (LINK | 0o777, target.as_bytes()),
                Change::RemoveFile(_) | Change::RemoveDirectory(_) => continue,
            };
            let name = change.path();
            let name = if self.has_dot { format!("./{name}") } else { name.to_owned() };
            self.archive.write(&mut out, &New { name: &name, mode, inode, mtime, data });
        }
        out.extend_from_slice(self.bytes.get(self.archive.trailer..).unwrap_or_default());
        out
    }
}

/// The last archive in an image.
struct Last {
    /// Where it begins, in bytes.
    begin: usize,
    packing: Packing,
    /// The archive and what fills it up, decompressed.
    bytes: Vec<u8>,
}

/// Finds the last archive in `image`; `path` is for errors.
fn last_archive(path: &Path, image: &[u8]) -> Result<Last, InstallError> {
    let mut begin = 0;
    loop {
        let rest = image.get(begin..).unwrap_or_default();
        if let Some(compression) = Compression::of(rest) {
            let mut bytes = Vec::new();
            copy_decompressed(rest, compression, &mut bytes, MAX_RAMDISK)
                .map_err(InstallError::io("decompress", path))?;
            return packed(begin, Packing::Usual(compression), bytes);
        }
        if rest.starts_with(&lz4::MAGIC) {
            return packed(begin, Packing::Lz4, lz4::unpack(rest, MAX_RAMDISK)?);
        }
        if !is_archive(rest) {
            return Err(unknown(rest));
        }
        let end = Archive::parse(rest)?.end;
        let filling = rest.iter().skip(end).take_while(|byte| **byte == 0).count();
        if end + filling == rest.len() {
            return Ok(Last { begin, packing: Packing::Plain, bytes: rest.to_vec() });
        }
        begin += end + filling;
    }
}

fn packed(begin: usize, packing: Packing, bytes: Vec<u8>) -> Result<Last, InstallError> {
    if is_archive(&bytes) { Ok(Last { begin, packing, bytes }) } else { Err(unknown(&bytes)) }
}

fn unknown(begin: &[u8]) -> InstallError {
    unsupported(begin).unwrap_or_else(|| {
        let begin = begin.get(..8).unwrap_or(begin).escape_ascii();
        InstallError::Ramdisk { problem: format!("what begins with \"{begin}\" is no cpio archive") }
    })
}

impl Tree for Ramdisk {
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        if path.is_empty() {
            return Ok(Some(Found::Directory));
        }
        let Some(node) = self.names.get(path) else { return Ok(None) };
        let Some(member) = node.and_then(|index| self.archive.members.get(index)) else {
            return Ok(Some(Found::Directory));
        };
        let data = self.data(path);
        Ok(Some(match member.mode & TYPE {
            DIRECTORY => Found::Directory,
            FILE => Found::File { size: data.len() as u64, mode: member.mode & 0o7777 },
            LINK => String::from_utf8(data.to_vec()).map_or(Found::Other, Found::Link),
            _ => Found::Other,
        }))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError> {
        Ok(self.names.list(path))
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        let data = self.data(path);
        Ok(data.get(..limit).unwrap_or(data).to_vec())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        let archive = self.changed(changes);
        let failed = InstallError::io("write", &self.path);
        let mut image = self.before.clone();
        match self.packing {
            Packing::Plain => image.extend_from_slice(&archive),
            Packing::Usual(compression) => {
                compress(&mut image, Some(compression), |out| out.write_all(&archive)).map_err(&failed)?;
            }
            Packing::Lz4 => image.extend(lz4::pack(&archive)),
        }
        let header = self.header.map(|header| uimage::header_for(&header, &image)).transpose()?;
        replace(&self.path, |out| {
            out.write_all(header.as_ref().map_or(&[], |header| header)).map_err(&failed)?;
            out.write_all(&image).map_err(&failed)
        })
    }
}
