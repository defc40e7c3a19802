//! A directory of this PC as a root filesystem.
//!
//! It is walked first, and only read if no tar was made of exactly this state before: a state is what `stat` says of every
//! file, its times and inode number among it. After the reading it is walked again.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, lgetxattr, llistxattr};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::notes::Names;
use super::{MAX_FILES, Proceed, SourceError};
use crate::rootfs::meta::Meta;
use crate::rootfs::tar_writer::{Body, TarWriter};
use crate::rootfs::{Kind, Timestamp};

/// Most bytes of names of a file's extended attributes, and of one value (XATTR_LIST_MAX, XATTR_SIZE_MAX).
const MAX_ATTRIBUTE: usize = 64 << 10;
/// Unit of the space that a file takes, in bytes (`st_blocks`).
const SPACE_UNIT: u64 = 512;

/// Everything below a directory of this PC, as it was at one moment.
#[derive(Debug)]
pub struct DirectoryTree {
    root: PathBuf,
    /// Directories come before what is in them.
    entries: Vec<Entry>,
    /// Directories on which other file systems are mounted.
    mounts: Names,
    sockets: Names,
}

#[derive(Debug)]
struct Entry {
    /// From the root, without a slash at either end.
    path: Vec<u8>,
    state: State,
    /// Bytes that it takes on the disk. No part of its state: they are allocated some time after they are written.
    space: u64,
}

impl Entry {
    fn new(path: Vec<u8>, metadata: &Metadata) -> Self {
        Self { path, state: State::of(metadata), space: metadata.blocks() * SPACE_UNIT }
    }
}

/// What `stat` says; of two states of a file that differ in anything, something differs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    device: u64,
    ino: u64,
    mode: u32,
    nlink: u64,
    uid: u32,
    gid: u32,
    rdev: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            ino: metadata.ino(),
            mode: metadata.mode(),
            nlink: metadata.nlink(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            rdev: metadata.rdev(),
            size: metadata.size(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The numbers that tell one state from another. Numbers of devices may change when this PC starts.
    fn numbers(&self) -> [u64; 11] {
        let (mtime, ctime) = (self.mtime, self.ctime);
        [
            self.ino,
            self.mode.into(),
            self.nlink,
            self.uid.into(),
            self.gid.into(),
            self.rdev,
            self.size,
            mtime.0.cast_unsigned(),
            mtime.1.cast_unsigned(),
            ctime.0.cast_unsigned(),
            ctime.1.cast_unsigned(),
        ]
    }

    /// The type; `None` if it is of none that exists on Linux.
    fn kind(&self) -> Option<Kind> {
        Some(match rustix::fs::FileType::from_raw_mode(self.mode) {
            rustix::fs::FileType::RegularFile => Kind::Regular,
            rustix::fs::FileType::Directory => Kind::Directory,
            rustix::fs::FileType::Symlink => Kind::Symlink,
            rustix::fs::FileType::CharacterDevice => Kind::CharacterDevice,
            rustix::fs::FileType::BlockDevice => Kind::BlockDevice,
            rustix::fs::FileType::Fifo => Kind::Fifo,
            rustix::fs::FileType::Socket => Kind::Socket,
            rustix::fs::FileType::Unknown => return None,
        })
    }

    fn meta(&self, kind: Kind) -> Meta {
        let time = |(seconds, nanoseconds): (i64, i64)| match u32::try_from(seconds) {
            Ok(seconds) => Timestamp { seconds, nanoseconds: u32::try_from(nanoseconds).unwrap_or(0) },
            // A tar of ours begins in 1970 and ends in 2106, as NFSv3 does.
            Err(_) => Timestamp { seconds: if seconds < 0 { 0 } else { u32::MAX }, nanoseconds: 0 },
        };
        let mtime = time(self.mtime);
        Meta {
            kind,
            mode: self.mode & 0o7777,
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            device: (rustix::fs::major(self.rdev), rustix::fs::minor(self.rdev)),
            atime: mtime,
            mtime,
            ctime: mtime,
        }
    }
}

impl DirectoryTree {
    /// Walks the directory at `root`; reads no file.
    ///
    /// # Errors
    /// [`SourceError::Read`], [`SourceError::TooMany`], and that of `proceed`.
    pub fn walk(root: &Path, proceed: Proceed<'_>) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Read { path: root.to_owned(), source };
        let root = root.canonicalize().map_err(failed)?;
        let top = Entry::new(Vec::new(), &fs::symlink_metadata(&root).map_err(failed)?);
        let device = top.state.device;
        let entries = vec![top];
        let mut tree = Self { root, entries, mounts: Names::default(), sockets: Names::default() };
        let mut at = 0;
        while let Some(entry) = tree.entries.get(at) {
            let kind = entry.state.kind();
            let path = entry.path.clone();
            if kind == Some(Kind::Socket) {
                tree.sockets.push(&path);
            } else if kind == Some(Kind::Directory) && entry.state.device != device {
                tree.mounts.push(&path);
            } else if kind == Some(Kind::Directory) {
                tree.list(&path, proceed)?;
            }
            at += 1;
        }
        Ok(tree)
    }

    /// Adds what is in a directory, in the order of the names.
    fn list(&mut self, directory: &[u8], proceed: Proceed<'_>) -> Result<(), SourceError> {
        let place = self.place(directory);
        let failed = |source| SourceError::Read { path: place.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&place).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
            if self.entries.len() + names.len() > MAX_FILES {
                let path = place.join(names.pop().unwrap_or_default());
                return Err(SourceError::TooMany { path, limit: MAX_FILES });
            }
        }
        names.sort_unstable();
        for name in names {
            proceed()?;
            let place = place.join(&name);
            let metadata = fs::symlink_metadata(&place)
                .map_err(|source| SourceError::Read { path: place.clone(), source })?;
            let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            let path = [directory, slash, name.as_bytes()].concat();
            self.entries.push(Entry::new(path, &metadata));
        }
        Ok(())
    }

    fn place(&self, path: &[u8]) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(OsStr::from_bytes(path)) }
    }

    /// What tells this state of the directory from others: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for Entry { path, state, .. } in &self.entries {
            hasher.update((path.len() as u64).to_le_bytes());
            hasher.update(path);
            for number in state.numbers() {
                hasher.update(number.to_le_bytes());
            }
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        let files = self.entries.iter().filter(|entry| entry.state.kind() == Some(Kind::Regular));
        files.map(|entry| entry.state.size.min(entry.space)).sum()
    }

    /// Writes everything to `out` as a tar; returns what the user should know about it.
    ///
    /// Owners, modes and times are those that `stat` tells. Sockets are left out, as are file systems that are mounted
    /// in the directory.
    ///
    /// # Errors
    /// [`SourceError::Read`] names a file that may not be read; [`SourceError::Changed`] one that is not as it was when
    /// the directory was walked.
    pub fn write_tar(&self, out: &mut dyn Write, proceed: Proceed<'_>) -> Result<Vec<String>, SourceError> {
        let mut tar = TarWriter::new(out);
        let mut first_names: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
        for entry in &self.entries {
            proceed()?;
            let Some(kind) = entry.state.kind().filter(|kind| *kind != Kind::Socket) else { continue };
            let end: &[u8] = if kind == Kind::Directory && !entry.path.is_empty() { b"/" } else { b"" };
            let path = [b"./", entry.path.as_slice(), end].concat();
            let meta = entry.state.meta(kind);
            if entry.state.nlink > 1 && kind != Kind::Directory {
                let file = (entry.state.device, entry.state.ino);
                if let Some(first) = first_names.get(&file) {
                    tar.member(&path, &meta, &[], Body::HardLink(first))?;
                    continue;
                }
                first_names.insert(file, path.clone());
            }
            self.member(&mut tar, entry, &path, &meta).map_err(|error| match error {
                // Something took the file's place.
                SourceError::Read { path, source }
                    if source.raw_os_error() == Some(Errno::LOOP.raw_os_error()) =>
                {
                    SourceError::Changed { path }
                }
                error => error,
            })?;
        }
        tar.finish()?;
        self.compare(&Self::walk(&self.root, proceed)?)?;
        let notes =
            [self.sockets.note("sockets are left out"), self.mounts.note("what is mounted here is left out")];
        Ok(notes.into_iter().flatten().collect())
    }

    /// # Errors
    /// [`SourceError::Changed`] with the first path that differs in `now`.
    fn compare(&self, now: &Self) -> Result<(), SourceError> {
        let same = |before: &Entry, now: &Entry| before.path == now.path && before.state == now.state;
        let differs = self.entries.iter().zip(&now.entries).find(|(before, now)| !same(before, now));
        let path = match differs {
            Some((before, _)) => &before.path,
            None if self.entries.len() == now.entries.len() => return Ok(()),
            None => return Err(SourceError::Changed { path: self.root.clone() }),
        };
        Err(SourceError::Changed { path: self.place(path) })
    }

    fn member(
        &self,
        tar: &mut TarWriter<&mut dyn Write>,
        entry: &Entry,
        path: &[u8],
        meta: &Meta,
    ) -> Result<(), SourceError> {
        let place = self.place(&entry.path);
        let failed = |source: io::Error| SourceError::Read { path: place.clone(), source };
        let attributes = extended_attributes(&place).map_err(|error| failed(error.into()))?;
        let records: Vec<(&str, &[u8])> =
            attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        match meta.kind {
            Kind::Regular => {
                let file = open(&place).map_err(failed)?;
                if State::of(&file.metadata().map_err(failed)?) != entry.state {
                    return Err(SourceError::Changed { path: place });
                }
                let size = entry.state.size;
                let extents = if entry.space < size {
                    extents(&file, size).map_err(|error| failed(error.into()))?
                } else {
                    vec![(0, size)]
                };
                let mut data = Extents { file: &file, extents: &extents, at: 0 };
                let body = if extents == [(0, size)] || size == 0 {
                    Body::File { size, data: &mut data }
                } else {
                    Body::Sparse { size, extents: &extents, data: &mut data }
                };
                tar.member(path, meta, &records, body).map_err(failed)
            }
            Kind::Symlink => {
                let target = fs::read_link(&place).map_err(failed)?;
                Ok(tar.member(path, meta, &records, Body::Symlink(target.as_os_str().as_bytes()))?)
            }
            _ => Ok(tar.member(path, meta, &records, Body::None)?),
        }
    }
}

/// Opens what must be a regular file, whatever has taken its place.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Where the data of a sparse file of `size` bytes is: offsets and lengths.
fn extents(file: &File, size: u64) -> Result<Vec<(u64, u64)>, Errno> {
    let seek = |to| rustix::fs::seek(file, to);
    let mut extents = Vec::new();
    let mut end = 0;
    while end < size {
        let start = match seek(rustix::fs::SeekFrom::Data(end)) {
            Ok(start) if start < size => start,
            // Nothing but a hole to the end.
            Ok(_) | Err(Errno::NXIO) => break,
            Err(error) => return Err(error),
        };
        end = seek(rustix::fs::SeekFrom::Hole(start))?.min(size);
        extents.push((start, end.saturating_sub(start)));
    }
    Ok(extents)
}

/// Reads the extents of a file, one after the other.
struct Extents<'f> {
    file: &'f File,
    extents: &'f [(u64, u64)],
    /// Bytes of the first one that were read.
    at: u64,
}

impl Read for Extents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(((start, length), rest)) = self.extents.split_first() {
            if self.at == *length {
                (self.extents, self.at) = (rest, 0);
                continue;
            }
            let wanted = usize::try_from(length - self.at).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), start + self.at)?;
            self.at += count as u64;
            return Ok(count);
        }
        Ok(0)
    }
}

/// The extended attributes of a file, as keys and values of pax records.
fn extended_attributes(path: &Path) -> Result<Vec<(String, Vec<u8>)>, Errno> {
    let mut names = vec![0; MAX_ATTRIBUTE];
    let length = match llistxattr(path, &mut names) {
        // The file system has none.
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        length => length?,
    };
    let names = names.get(..length).unwrap_or_default();
    let mut attributes = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // A key of a pax record is UTF-8.
        let Ok(name) = str::from_utf8(name) else { continue };
        let mut value = vec![0; MAX_ATTRIBUTE];
        let length = lgetxattr(path, name, &mut value)?;
        value.truncate(length);
        attributes.push((format!("SCHILY.xattr.{name}"), value));
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests;
