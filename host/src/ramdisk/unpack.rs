//! A tar unpacked over a RAM disk, as `tar -x --keep-directory-symlink` does: kernel modules, overlays.
//!
//! It follows the rules by which a tar is unpacked over a [`Layer`](crate::rootfs::Layer): a directory that is there keeps its
//! owner and mode, and a link to one is followed inside the RAM disk. Where `lib` leads to `usr/lib`, `lib/modules` is made in
//! that, and `lib` stays a link. Anything else in the way of a member goes first. Names that climb or circle, too many members,
//! and names that are too long were refused when the tar was indexed.

use std::collections::HashMap;
use std::sync::Arc;

use super::disk::Ramdisk;
use super::error::RamdiskError;
use super::inode::{Data, Inode, Meta};
use super::tree::{join, shown};
use crate::rootfs::{Attributes, FsError, Ino, Kind, Lower};

/// Permission bits of a directory to unpack in, if it is not there yet.
const DIRECTORY_MODE: u32 = 0o755;

impl Ramdisk {
    /// Unpacks `archive` in the directory `directory`, which is made if it is not there. Files are read when the RAM disk is
    /// written.
    ///
    /// # Errors
    /// [`RamdiskError`] names the path, for example if a directory is in the way of a file. What comes before it in the tar was
    /// unpacked then: the RAM disk is of no use any more.
    pub fn unpack(&mut self, archive: &Arc<Lower>, directory: &str) -> Result<(), RamdiskError> {
        let failed = |path: &[u8], source| RamdiskError::Tar { path: shown(path), source };
        let time = archive.attributes_of(Ino::ROOT).map_or(0, |root| root.mtime.seconds);
        let top = self.directory(directory.as_bytes(), Meta::of_root(DIRECTORY_MODE, time))?;
        // Files with several names, by their numbers in the tar: their numbers here.
        let mut made: HashMap<Ino, usize> = HashMap::new();
        // What is to come, in the reverse order of names: where links lead two names to one place, the last one counts.
        let mut left: Vec<(Ino, Vec<u8>)> = Vec::new();
        let push = |from: Ino, to: &[u8], left: &mut Vec<_>| {
            let entries = archive.list(from, 0).map_err(|source| failed(to, source))?;
            let begin = left.len();
            left.extend(entries.map(|(_, name, ino)| (ino, join(to, name))));
            left.get_mut(begin..).unwrap_or_default().reverse();
            Ok::<_, RamdiskError>(())
        };
        push(Ino::ROOT, &top, &mut left)?;
        while let Some((ino, path)) = left.pop() {
            let found = archive.attributes_of(ino).ok_or_else(|| failed(&path, FsError::Stale))?;
            if found.kind == Kind::Directory {
                let place = self.directory(&path, meta(&found))?;
                push(ino, &place, &mut left)?;
                continue;
            }
            if let Some(index) = made.get(&ino) {
                self.put_name(&path, *index, found.mtime.seconds)?;
                continue;
            }
            let data = data(archive, &found).map_err(|source| failed(&path, source))?;
            let (major, minor) = found.device;
            let inode = Inode { kind: found.kind, meta: meta(&found), device: [major, minor], data };
            let index = self.put(&path, inode)?;
            if found.nlink > 1 {
                made.insert(ino, index);
            }
        }
        Ok(())
    }
}

fn meta(found: &Attributes) -> Meta {
    Meta { mode: found.mode, uid: found.uid, gid: found.gid, mtime: found.mtime.seconds }
}

fn data(archive: &Arc<Lower>, found: &Attributes) -> Result<Data, FsError> {
    Ok(match found.kind {
        Kind::Regular => Data::Tar { archive: Arc::clone(archive), ino: found.ino, size: found.size },
        Kind::Symlink => Data::Bytes(archive.target(found.ino)?.to_vec()),
        _ => Data::Bytes(Vec::new()),
    })
}
