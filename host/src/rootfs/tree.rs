//! The metadata of a layer: what the lower layer says, unless it was changed.

use std::collections::HashMap;
use std::sync::Arc;

use super::block_store::BLOCK;
use super::directory::Directory;
use super::lower::LowerContent;
use super::upper_file::UpperFile;
use super::{Attributes, Credential, FsError, Ino, Kind, Lower, Timestamp};

/// The longest name, in bytes (NAME_MAX).
pub(crate) const MAX_NAME: usize = 255;
/// The longest path or target of a symbolic link, in bytes with its end (PATH_MAX).
pub(super) const MAX_TARGET: usize = 4096;
/// Size that directories state, in bytes.
pub(super) const DIRECTORY_SIZE: u64 = 4096;
/// Inodes that one layer may create: bounds the memory that a board can take.
const MAX_CREATED: u32 = 4_000_000;

/// What an inode is, besides its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) nlink: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) device: (u32, u32),
    pub(super) atime: Timestamp,
    pub(super) mtime: Timestamp,
    pub(super) ctime: Timestamp,
}

impl Meta {
    /// A directory of the superuser.
    pub(super) fn directory(mode: u32) -> Self {
        let time = Timestamp::default();
        Self {
            kind: Kind::Directory,
            mode,
            nlink: 2,
            uid: 0,
            gid: 0,
            device: (0, 0),
            atime: time,
            mtime: time,
            ctime: time,
        }
    }

    /// The bits `rwx` (4, 2, 1) that `who` has.
    pub(super) fn permitted(&self, who: &Credential) -> u32 {
        if who.is_root() {
            let executable = self.kind == Kind::Directory || self.mode & 0o111 != 0;
            return 6 | u32::from(executable);
        }
        let shift = if who.uid == self.uid {
            6
        } else if who.in_group(self.gid) {
            3
        } else {
            0
        };
        self.mode >> shift & 7
    }

    /// Whether `who` may do what only the owner may.
    pub(super) fn owned_by(&self, who: &Credential) -> bool {
        who.is_root() || who.uid == self.uid
    }

    /// Drops set-user-id, and set-group-id where it means execution, as a change by others than root must.
    pub(super) fn drop_set_ids(&mut self) {
        self.mode &= !0o4000;
        if self.mode & 0o010 != 0 {
            self.mode &= !0o2000;
        }
    }
}

/// Where the content of a changed inode is.
#[derive(Debug)]
pub(super) enum Content {
    /// Still in the lower layer.
    Lower,
    File(Arc<UpperFile>),
    Directory(Box<Directory>),
    Symlink(Box<[u8]>),
    /// Devices, fifos, sockets.
    None,
}

/// A changed or new inode.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) meta: Meta,
    pub(super) content: Content,
    /// Verifier of the exclusive CREATE that made it (RFC 1813 §3.3.8).
    pub(super) verifier: Option<[u8; 8]>,
}

/// Names of a directory with their cookies, in the order of the cookies.
pub(super) type Names<'a> = Box<dyn Iterator<Item = (u32, &'a [u8], Ino)> + 'a>;

/// All inodes of a layer.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) lower: Arc<Lower>,
    /// Changed and new inodes; `None` is one of the lower layer that was removed.
    changed: HashMap<Ino, Option<Inode>>,
    first_new: u32,
    next: u32,
}

impl Tree {
    /// The lower layer as it is.
    pub(super) fn new(lower: Arc<Lower>) -> Self {
        let next = lower.next_ino().map_or(u32::MAX, Ino::get);
        Self { lower, changed: HashMap::new(), first_new: next, next }
    }

    /// Inodes that still can be made.
    pub(super) fn free_inodes(&self) -> u32 {
        let created = self.next.saturating_sub(self.first_new);
        MAX_CREATED.saturating_sub(created).min(Ino::MAX.get().saturating_sub(self.next))
    }

    /// What `ino` is.
    pub(super) fn meta(&self, ino: Ino) -> Result<Meta, FsError> {
        match self.changed.get(&ino) {
            Some(Some(inode)) => Ok(inode.meta),
            Some(None) => Err(FsError::Stale),
            None => self.lower.get(ino).map(|inode| inode.meta).ok_or(FsError::Stale),
        }
    }

    /// A changed inode; `None` if it is as in the lower layer.
    pub(super) fn changed(&self, ino: Ino) -> Result<Option<&Inode>, FsError> {
        match self.changed.get(&ino) {
            Some(Some(inode)) => Ok(Some(inode)),
            Some(None) => Err(FsError::Stale),
            None if self.lower.get(ino).is_some() => Ok(None),
            None => Err(FsError::Stale),
        }
    }

    /// An inode to be changed: from now on the lower layer's metadata no longer counts.
    pub(super) fn inode_mut(&mut self, ino: Ino) -> Result<&mut Inode, FsError> {
        let lower = &self.lower;
        let slot = match self.changed.entry(ino) {
            std::collections::hash_map::Entry::Occupied(slot) => slot.into_mut(),
            std::collections::hash_map::Entry::Vacant(slot) => {
                let meta = lower.get(ino).ok_or(FsError::Stale)?.meta;
                slot.insert(Some(Inode { meta, content: Content::Lower, verifier: None }))
            }
        };
        slot.as_mut().ok_or(FsError::Stale)
    }

    /// Everything `stat` tells of `ino`.
    pub(super) fn attributes(&self, ino: Ino) -> Result<Attributes, FsError> {
        let (meta, size, used) = match self.changed(ino)? {
            Some(Inode { meta, content, .. }) => match content {
                Content::File(file) => (*meta, file.size(), file.used()),
                Content::Symlink(target) => (*meta, target.len() as u64, 0),
                Content::Directory(_) => (*meta, DIRECTORY_SIZE, DIRECTORY_SIZE),
                Content::None => (*meta, 0, 0),
                Content::Lower => self.lower_attributes(ino, *meta),
            },
            None => self.lower_attributes(ino, self.meta(ino)?),
        };
        Ok(Attributes {
            ino,
            kind: meta.kind,
            mode: meta.mode,
            nlink: meta.nlink,
            uid: meta.uid,
            gid: meta.gid,
            size,
            used,
            device: meta.device,
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
        })
    }

    fn lower_attributes(&self, ino: Ino, meta: Meta) -> (Meta, u64, u64) {
        let size = self.lower.size(ino);
        let used = match meta.kind {
            Kind::Regular | Kind::Directory => size.div_ceil(BLOCK) * BLOCK,
            _ => 0,
        };
        (meta, size, used)
    }

    /// The listing of a directory, if it was changed.
    fn directory(&self, dir: Ino) -> Result<Option<&Directory>, FsError> {
        match self.changed(dir)?.map(|inode| &inode.content) {
            Some(Content::Directory(directory)) => Ok(Some(directory)),
            Some(Content::Lower) | None => match self.lower.get(dir).map(|inode| inode.content) {
                Some(LowerContent::Directory { .. }) => Ok(None),
                _ => Err(FsError::NotDirectory),
            },
            Some(_) => Err(FsError::NotDirectory),
        }
    }

    /// The listing of a directory to be changed; that of the lower layer is copied once, cookies included.
    pub(super) fn directory_mut(&mut self, dir: Ino) -> Result<&mut Directory, FsError> {
        if self.directory(dir)?.is_none() {
            let mut copy = Directory::new(self.lower.parent(dir)?);
            for (cookie, name, ino) in self.lower.list(dir, 0)? {
                copy.insert_at(cookie, name, ino)?;
            }
            self.inode_mut(dir)?.content = Content::Directory(Box::new(copy));
        }
        match &mut self.inode_mut(dir)?.content {
            Content::Directory(directory) => Ok(directory),
            _ => Err(FsError::NotDirectory),
        }
    }

    /// The inode `name` of `dir`; `.` and `..` included.
    pub(super) fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino, FsError> {
        let changed = self.directory(dir)?;
        match name {
            b"." => Ok(dir),
            b".." => self.parent(dir),
            _ => match changed {
                Some(directory) => directory.get(name).ok_or(FsError::NotFound),
                None => self.lower.lookup(dir, name),
            },
        }
    }

    /// The parent of a directory; the root's is itself.
    pub(super) fn parent(&self, dir: Ino) -> Result<Ino, FsError> {
        match self.directory(dir)? {
            Some(directory) => Ok(directory.parent),
            None => self.lower.parent(dir),
        }
    }

    /// Whether the directory has no names.
    pub(super) fn is_empty(&self, dir: Ino) -> Result<bool, FsError> {
        match self.directory(dir)? {
            Some(directory) => Ok(directory.is_empty()),
            None => Ok(self.lower.list(dir, 0)?.next().is_none()),
        }
    }

    /// Names of `dir` with cookies above `after`, in the order of the cookies; `.` and `..` are not among them.
    pub(super) fn list(&self, dir: Ino, after: u32) -> Result<Names<'_>, FsError> {
        Ok(match self.directory(dir)? {
            Some(directory) => Box::new(directory.list(after)),
            None => Box::new(self.lower.list(dir, after)?),
        })
    }

    /// The target of a symbolic link.
    pub(super) fn target(&self, ino: Ino) -> Result<&[u8], FsError> {
        match self.changed(ino)?.map(|inode| &inode.content) {
            Some(Content::Symlink(target)) => Ok(target),
            Some(Content::Lower) | None => self.lower.target(ino),
            Some(_) => Err(FsError::Invalid),
        }
    }

    /// Adds an inode.
    ///
    /// # Errors
    /// [`FsError::NoSpace`] once the layer has made as many as it may.
    pub(super) fn add(&mut self, inode: Inode) -> Result<Ino, FsError> {
        if self.free_inodes() == 0 {
            return Err(FsError::NoSpace);
        }
        let ino = Ino::new(self.next).ok_or(FsError::NoSpace)?;
        self.next += 1;
        self.changed.insert(ino, Some(inode));
        Ok(ino)
    }

    /// Forgets an inode: its handles are stale from now on, its blocks are free once the last reader is done.
    pub(super) fn forget(&mut self, ino: Ino) {
        if self.lower.get(ino).is_some() {
            self.changed.insert(ino, None);
        } else {
            self.changed.remove(&ino);
        }
    }

    /// Takes one name from `ino`, and forgets it with its last.
    pub(super) fn drop_link(&mut self, ino: Ino, now: Timestamp) -> Result<(), FsError> {
        let meta = &mut self.inode_mut(ino)?.meta;
        meta.nlink = meta.nlink.saturating_sub(1);
        meta.ctime = now;
        if meta.nlink == 0 {
            self.forget(ino);
        }
        Ok(())
    }

    /// Notes that the listing of `dir` changed, and its number of subdirectories by `subdirectories`.
    pub(super) fn touch(&mut self, dir: Ino, subdirectories: i32, now: Timestamp) -> Result<(), FsError> {
        let meta = &mut self.inode_mut(dir)?.meta;
        meta.nlink = meta.nlink.saturating_add_signed(subdirectories);
        meta.mtime = now;
        meta.ctime = now;
        Ok(())
    }

    /// Checks that `who` may search `dir`.
    pub(super) fn may_search(&self, dir: Ino, who: &Credential) -> Result<(), FsError> {
        let meta = self.meta(dir)?;
        if meta.kind != Kind::Directory {
            return Err(FsError::NotDirectory);
        }
        if meta.permitted(who) & 1 == 0 { Err(FsError::AccessDenied) } else { Ok(()) }
    }

    /// Checks that `who` may add and remove names in `dir`.
    pub(super) fn may_change(&self, dir: Ino, who: &Credential) -> Result<(), FsError> {
        let meta = self.meta(dir)?;
        if meta.kind != Kind::Directory {
            return Err(FsError::NotDirectory);
        }
        if meta.permitted(who) & 3 == 3 { Ok(()) } else { Err(FsError::AccessDenied) }
    }

    /// Checks the sticky bit: in such a directory only the owners of file or directory may remove a name.
    pub(super) fn may_unlink(&self, dir: Ino, ino: Ino, who: &Credential) -> Result<(), FsError> {
        let directory = self.meta(dir)?;
        let sticky = directory.mode & 0o1000 != 0;
        if sticky && !directory.owned_by(who) && !self.meta(ino)?.owned_by(who) {
            return Err(FsError::NotPermitted);
        }
        Ok(())
    }
}

/// Checks that `name` can be a new name in a directory.
pub(super) fn check_name(name: &[u8]) -> Result<(), FsError> {
    if name.len() > MAX_NAME {
        return Err(FsError::NameTooLong);
    }
    if name.is_empty() || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(FsError::Invalid);
    }
    if matches!(name, b"." | b"..") {
        return Err(FsError::Exists);
    }
    Ok(())
}
