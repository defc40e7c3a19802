//! The metadata of a layer: what the lower layer says, unless it was changed.
//!
//! Every change is noted for the log; [`Tree::take_pending`] hands the notes over.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::block_store::BLOCK;
use super::calls::Calls;
use super::directory::{Directory, name_memory};
use super::inode::{Content, INODE_MEMORY, Inode, NewContent};
use super::journal::Change;
use super::lower::LowerContent;
use super::meta::Meta;
use super::storage::Storage;
use super::upper_file::UpperFile;
use super::{Attributes, FsError, Ino, Kind, Lower, Timestamp};

/// The longest name, in bytes (NAME_MAX).
pub(crate) const MAX_NAME: usize = 255;
/// The longest path or target of a symbolic link, in bytes with its end (PATH_MAX).
pub(super) const MAX_TARGET: usize = 4096;
/// Size that directories state, in bytes.
pub(super) const DIRECTORY_SIZE: u64 = 4096;
/// Memory that what is new in a layer may take, in bytes: bounds what a board can take of the bench PC's.
const MAX_MEMORY: u64 = 512 << 20;

/// What was changed and is not in the log yet.
#[derive(Debug, Default)]
struct Pending {
    changes: Vec<Change<'static>>,
    /// Inodes whose metadata may have changed.
    touched: Vec<Ino>,
    /// What was forgotten: its blocks must not be used again before the log knows.
    gone: Vec<Inode>,
}

/// Notes for the log, and what is to be dropped once they are in it.
pub(super) type TakenPending = (Vec<Change<'static>>, Vec<Inode>);

/// Names of a directory with their cookies, in the order of the cookies.
pub(super) type Names<'a> = Box<dyn Iterator<Item = (u32, &'a [u8], Ino)> + 'a>;

/// All inodes of a layer.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) lower: Arc<Lower>,
    storage: Arc<Storage>,
    /// Changed and new inodes; `None` is one of the lower layer that was removed.
    pub(super) changed: HashMap<Ino, Option<Inode>>,
    pub(super) next: u32,
    /// The last calls that were carried out.
    pub(super) calls: Calls,
    /// How many inodes there are.
    inodes: u64,
    /// About the memory of all that was changed, in bytes.
    memory: u64,
    /// The most that it may be.
    pub(super) memory_limit: u64,
    pending: Pending,
}

impl Tree {
    /// The lower layer as it is.
    pub(super) fn new(storage: Arc<Storage>) -> Self {
        let lower = Arc::clone(&storage.lower);
        let inodes = lower.inode_count();
        let next = lower.next_ino().map_or(u32::MAX, Ino::get);
        Self {
            lower,
            storage,
            changed: HashMap::new(),
            next,
            calls: Calls::default(),
            inodes,
            memory: 0,
            memory_limit: MAX_MEMORY,
            pending: Pending::default(),
        }
    }

    /// How many inodes there are, those of the lower layer among them.
    pub(super) const fn used_inodes(&self) -> u64 {
        self.inodes
    }

    /// Inodes that still can be made, if their names are short.
    pub(super) fn free_inodes(&self) -> u32 {
        let room = self.memory_limit.saturating_sub(self.memory) / (INODE_MEMORY + name_memory(b""));
        u32::try_from(room).unwrap_or(u32::MAX).min(Ino::MAX.get().saturating_sub(self.next))
    }

    /// Counts anew what memory all that was changed takes, once the log was read.
    pub(super) fn count_memory(&mut self) {
        self.memory = self.changed.values().flatten().map(Inode::memory).sum();
    }

    /// Checks that there is room for one more name of a file.
    ///
    /// # Errors
    /// [`FsError::NoSpace`]
    pub(super) fn check_room(&self, name: &[u8]) -> Result<(), FsError> {
        if self.memory + name_memory(name) > self.memory_limit { Err(FsError::NoSpace) } else { Ok(()) }
    }

    /// What was changed since this was called last: for the log, and to be dropped after that.
    pub(super) fn take_pending(&mut self) -> TakenPending {
        let Pending { mut changes, mut touched, gone } = std::mem::take(&mut self.pending);
        touched.sort_unstable();
        touched.dedup();
        for ino in touched {
            if let Some(Some(Inode { meta, verifier, .. })) = self.changed.get(&ino) {
                changes.push(Change::Meta { ino, meta: *meta, verifier: *verifier });
            }
        }
        (changes, gone)
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
                self.memory += INODE_MEMORY;
                slot.insert(Some(Inode { meta, content: Content::Lower, verifier: None }))
            }
        };
        let inode = slot.as_mut().ok_or(FsError::Stale)?;
        self.pending.touched.push(ino);
        Ok(inode)
    }

    /// The data of a changed file; `None` if it is as in the lower layer, or no file.
    pub(super) fn upper_file(&self, ino: Ino) -> Result<Option<&Arc<UpperFile>>, FsError> {
        Ok(match self.changed(ino)?.map(|inode| &inode.content) {
            Some(Content::File(file)) => Some(file),
            _ => None,
        })
    }

    /// The data of a file that is about to be changed. No data is copied: the file shows the lower layer where it was
    /// not overwritten.
    pub(super) fn copy_up(&mut self, ino: Ino) -> Result<&Arc<UpperFile>, FsError> {
        if self.upper_file(ino)?.is_none() {
            if !self.lower.is_file(ino) {
                return Err(FsError::Invalid);
            }
            let file = UpperFile::over_lower(ino, Arc::clone(&self.storage));
            self.inode_mut(ino)?.content = Content::File(Arc::new(file));
            self.pending.changes.push(Change::CopyUp { ino });
        }
        self.upper_file(ino)?.ok_or(FsError::Invalid)
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
    pub(super) fn directory(&self, dir: Ino) -> Result<Option<&Directory>, FsError> {
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
            let memory = copy.memory();
            self.inode_mut(dir)?.content = Content::Directory(Box::new(copy));
            self.memory += memory;
        }
        match self.changed.get_mut(&dir) {
            Some(Some(Inode { content: Content::Directory(directory), .. })) => Ok(directory),
            _ => Err(FsError::NotDirectory),
        }
    }

    /// Adds the name `name`, which must not exist, to `dir`.
    pub(super) fn insert_name(&mut self, dir: Ino, name: &[u8], ino: Ino) -> Result<(), FsError> {
        let cookie = self.directory_mut(dir)?.insert(name, ino)?;
        self.memory += name_memory(name);
        self.pending.changes.push(Change::Insert { dir, cookie, name: Cow::Owned(name.to_vec()), ino });
        Ok(())
    }

    /// Takes the name `name` away from `dir`.
    pub(super) fn remove_name(&mut self, dir: Ino, name: &[u8]) -> Result<(), FsError> {
        if self.directory_mut(dir)?.remove(name).is_some() {
            self.memory = self.memory.saturating_sub(name_memory(name));
            self.pending.changes.push(Change::Remove { dir, name: Cow::Owned(name.to_vec()) });
        }
        Ok(())
    }

    /// Lets `..` of `dir` lead to `parent`.
    pub(super) fn set_parent(&mut self, dir: Ino, parent: Ino) -> Result<(), FsError> {
        self.directory_mut(dir)?.parent = parent;
        self.pending.changes.push(Change::Parent { dir, parent });
        Ok(())
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
    /// [`FsError::NoSpace`] once the layer has as many as it may.
    pub(super) fn add(&mut self, meta: Meta, content: NewContent) -> Result<Ino, FsError> {
        if self.free_inodes() == 0 || self.memory + content.memory() > self.memory_limit {
            return Err(FsError::NoSpace);
        }
        let ino = Ino::new(self.next).ok_or(FsError::NoSpace)?;
        self.insert_new(ino, meta, content.clone());
        self.pending.changes.push(Change::New { ino, content });
        self.pending.touched.push(ino);
        Ok(ino)
    }

    /// Lets a new, empty file begin as a hole of `size` bytes.
    pub(super) fn set_initial_size(&mut self, ino: Ino, size: u64) -> Result<(), FsError> {
        self.upper_file(ino)?.ok_or(FsError::Invalid)?.restore_size(size)?;
        self.pending.changes.push(Change::Truncate { ino, size });
        Ok(())
    }

    /// Puts a new inode in its place.
    pub(super) fn insert_new(&mut self, ino: Ino, meta: Meta, content: NewContent) {
        let content = content.into_content(ino, &self.storage);
        self.next = self.next.max(ino.get() + 1);
        let inode = Inode { meta, content, verifier: None };
        self.memory += inode.memory();
        if !matches!(self.changed.insert(ino, Some(inode)), Some(Some(_))) {
            self.inodes += 1;
        }
    }

    /// Forgets an inode: its handles are stale from now on, its blocks are free once the last reader is done.
    pub(super) fn forget(&mut self, ino: Ino) {
        let was_there = self.meta(ino).is_ok();
        let gone = if self.lower.get(ino).is_some() {
            self.changed.insert(ino, None).flatten()
        } else {
            self.changed.remove(&ino).flatten()
        };
        self.inodes -= u64::from(was_there);
        // While a log is read, names are not counted.
        self.memory = self.memory.saturating_sub(gone.as_ref().map_or(0, Inode::memory));
        self.pending.gone.extend(gone);
        self.pending.changes.push(Change::Forget { ino });
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
}
