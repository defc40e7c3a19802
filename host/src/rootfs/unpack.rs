//! A tar unpacked over a layer, as `tar -x --keep-directory-symlink` does: how kernel modules get into a root filesystem.
//!
//! It goes through the operations that serve NFS, as the superuser. A directory that is there keeps its owner and mode, and a link
//! to one is followed inside the layer: where `lib` leads to `usr/lib`, `lib/modules` is made in that. Anything else in
//! the way of a member goes first. Names that climb or circle were refused when the tar was indexed.

use std::collections::HashMap;
use std::path::PathBuf;

use super::meta::Meta;
use super::{
    CreateMode, Credential, FsError, Ino, Kind, Layer, Lower, NewNode, OverlayError, SetAttributes, SetTime,
};

/// Bytes that are copied at a time.
const CHUNK: usize = 256 << 10;
/// Mode of a directory that a link leads to and that is not there yet.
const DIRECTORY_MODE: u32 = 0o755;

impl Layer {
    /// Unpacks `archive` over the root directory.
    ///
    /// # Errors
    /// [`OverlayError`] names the member, for example if a directory is in its way or the budget is used up.
    pub fn unpack(&self, archive: &Lower) -> Result<(), OverlayError> {
        self.unpack_in(archive, "/")
    }

    /// Unpacks `archive` in the directory `path`, which is made if it is not there.
    ///
    /// # Errors
    /// As of [`unpack`](Self::unpack).
    pub fn unpack_in(&self, archive: &Lower, path: &str) -> Result<(), OverlayError> {
        self.make_dirs(path, DIRECTORY_MODE)?;
        let top = self.find(path)?.ino;
        let unpacking = Unpacking {
            layer: self,
            archive,
            who: Credential::root(),
            made: HashMap::new(),
            buffer: vec![0; CHUNK],
        };
        unpacking.run(top, path.trim_end_matches('/'))
    }
}

struct Unpacking<'a> {
    layer: &'a Layer,
    archive: &'a Lower,
    who: Credential,
    /// Files with several names by their numbers in the archive, and what they are in the layer.
    made: HashMap<Ino, Ino>,
    buffer: Vec<u8>,
}

impl Unpacking<'_> {
    fn run(mut self, top: Ino, path: &str) -> Result<(), OverlayError> {
        let archive = self.archive;
        // Directories of the archive, what they are in the layer, and their paths.
        let mut left = vec![(Ino::ROOT, top, path.to_owned())];
        while let Some((from, to, path)) = left.pop() {
            let failed = |path: &str, source| {
                let path = PathBuf::from(path);
                OverlayError { operation: "unpack", path, source }
            };
            for (_, name, ino) in archive.list(from, 0).map_err(|source| failed(&path, source))? {
                let path = format!("{path}/{}", String::from_utf8_lossy(name));
                let meta = archive.get(ino).map(|inode| inode.meta);
                let unpacked = meta.ok_or(FsError::Stale).and_then(|meta| match meta.kind {
                    Kind::Directory => self.directory(to, name, &meta).map(Some),
                    _ => self.member(to, name, ino, &meta).map(|()| None),
                });
                if let Some(directory) = unpacked.map_err(|source| failed(&path, source))? {
                    left.push((ino, directory, path));
                }
            }
        }
        Ok(())
    }

    /// The directory that `name` of `dir` is or leads to; made if it is not there.
    fn directory(&self, dir: Ino, name: &[u8], meta: &Meta) -> Result<Ino, FsError> {
        match self.layer.lookup(dir, name, &self.who) {
            Ok(found) if found.kind == Kind::Directory => return Ok(found.ino),
            Ok(found) if found.kind == Kind::Symlink => {
                return self.layer.walk(dir, name, Some(DIRECTORY_MODE));
            }
            Ok(_) => drop(self.layer.remove(dir, name, &self.who)?),
            Err(FsError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let made = self.layer.make_node(dir, name, NewNode::Directory, &attributes(meta), &self.who)?;
        Ok(made.object.ino)
    }

    /// Makes anything but a directory.
    fn member(&mut self, dir: Ino, name: &[u8], ino: Ino, meta: &Meta) -> Result<(), FsError> {
        match self.layer.remove(dir, name, &self.who) {
            Ok(_) | Err(FsError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if let Some(made) = self.made.get(&ino) {
            return self.layer.link(*made, dir, name, &self.who).map(drop);
        }
        let made = match node(self.archive, ino, meta)? {
            Some(node) => self.layer.make_node(dir, name, node, &attributes(meta), &self.who)?.object.ino,
            None => self.file(dir, name, ino, meta)?,
        };
        if meta.nlink > 1 {
            self.made.insert(ino, made);
        }
        Ok(())
    }

    fn file(&mut self, dir: Ino, name: &[u8], ino: Ino, meta: &Meta) -> Result<Ino, FsError> {
        let size = self.archive.size(ino);
        let begin = SetAttributes { size: Some(size), ..attributes(meta) };
        let made = self.layer.create(dir, name, CreateMode::Guarded(begin), &self.who)?.object.ino;
        for (offset, length) in self.archive.extents(ino) {
            self.extent(ino, made, offset, length)?;
        }
        let time = SetAttributes { mtime: SetTime::To(meta.mtime), ..SetAttributes::default() };
        self.layer.set_attributes(made, &time, None, &self.who)?;
        Ok(made)
    }

    /// Copies `length` bytes of a file's data. What is zeros is a hole already.
    fn extent(&mut self, from: Ino, to: Ino, begin: u64, length: u64) -> Result<(), FsError> {
        let end = begin + length;
        let mut offset = begin;
        while offset < end {
            let count = usize::try_from(end - offset).map_or(CHUNK, |left| left.min(CHUNK));
            let (chunk, _) = self.buffer.split_at_mut(count);
            self.archive.read(from, offset, chunk)?;
            if chunk.iter().any(|byte| *byte != 0) {
                self.layer.write(to, offset, chunk, &self.who)?;
            }
            offset += count as u64;
        }
        Ok(())
    }
}

/// Owner, group, mode and time of a member.
fn attributes(meta: &Meta) -> SetAttributes {
    SetAttributes {
        mode: Some(meta.mode),
        uid: Some(meta.uid),
        gid: Some(meta.gid),
        size: None,
        atime: SetTime::Keep,
        mtime: SetTime::To(meta.mtime),
    }
}

/// What is made for a member; `None` for a regular file.
fn node(archive: &Lower, ino: Ino, meta: &Meta) -> Result<Option<NewNode>, FsError> {
    let (major, minor) = meta.device;
    Ok(Some(match meta.kind {
        Kind::Regular => return Ok(None),
        Kind::Directory => NewNode::Directory,
        Kind::Symlink => NewNode::Symlink(archive.target(ino)?.to_vec()),
        Kind::CharacterDevice => NewNode::CharacterDevice(major, minor),
        Kind::BlockDevice => NewNode::BlockDevice(major, minor),
        Kind::Fifo => NewNode::Fifo,
        Kind::Socket => NewNode::Socket,
    }))
}

#[cfg(test)]
mod tests;
