//! New files, directories, links and devices.

use super::set_attributes::apply;
use super::{Layer, WccPair};
use crate::rootfs::inode::NewContent;
use crate::rootfs::meta::Meta;
use crate::rootfs::permission::{check_name, check_target};
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::MAX_FILE_SIZE;
use crate::rootfs::{Attributes, Credential, FsError, Ino, Kind, SetAttributes, Timestamp};

/// Names that one file may have.
pub(crate) const MAX_LINKS: u32 = 65_000;

/// How a regular file is made (RFC 1813 §3.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// If there is one already, it is used, and cut if a size is given.
    Unchecked(SetAttributes),
    /// There must be none.
    Guarded(SetAttributes),
    /// There must be none, except one made with the same verifier, of which neither data nor times were set since. The
    /// mode is 0 until it is set.
    Exclusive([u8; 8]),
}

/// What is made by [`Layer::make_node`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewNode {
    /// A directory.
    Directory,
    /// A symbolic link to this target, 1..=4095 bytes.
    Symlink(Vec<u8>),
    /// A character device: major and minor number. Only the superuser may.
    CharacterDevice(u32, u32),
    /// A block device: major and minor number. Only the superuser may.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
}

/// What was made, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The object.
    pub object: Attributes,
    /// The directory before and after.
    pub directory: WccPair,
}

struct Fresh {
    kind: Kind,
    content: NewContent,
    device: (u32, u32),
    default_mode: u32,
}

impl Layer {
    /// Makes the regular file `name` in `dir`.
    ///
    /// # Errors
    /// [`FsError::Exists`]; [`FsError::IsDirectory`] if it is one and need not be new; [`FsError::AccessDenied`],
    /// [`FsError::NameTooLong`], [`FsError::NoSpace`], [`FsError::NotDirectory`], [`FsError::Stale`], and those of
    /// [`Layer::set_attributes`].
    pub fn create(
        &self,
        dir: Ino,
        name: &[u8],
        how: CreateMode,
        who: &Credential,
    ) -> Result<Created, FsError> {
        let existing = {
            let mutation = self.mutation()?;
            let mut tree = mutation.tree();
            tree.may_search(dir, who)?;
            match tree.lookup(dir, name) {
                Err(FsError::NotFound) => {
                    let created = create_file(&mut tree, dir, name, how, who)?;
                    tree.commit(who.call)?;
                    return Ok(created);
                }
                found => found?,
            }
        };
        match how {
            CreateMode::Guarded(_) => Err(FsError::Exists),
            CreateMode::Exclusive(verifier) => {
                let tree = self.tree();
                let made = tree.changed(existing)?.and_then(|inode| inode.verifier);
                if made != Some(verifier) {
                    return Err(FsError::Exists);
                }
                reused(&tree, dir, existing)
            }
            CreateMode::Unchecked(change) => {
                match self.tree().meta(existing)?.kind {
                    Kind::Regular => {}
                    Kind::Directory => return Err(FsError::IsDirectory),
                    _ => return Err(FsError::Exists),
                }
                if change.size.is_some() {
                    let cut = SetAttributes { size: change.size, ..SetAttributes::default() };
                    self.set_attributes(existing, &cut, None, who)?;
                }
                reused(&self.tree(), dir, existing)
            }
        }
    }

    /// Makes `node` as `name` in `dir`.
    ///
    /// # Errors
    /// [`FsError::Exists`], [`FsError::NotPermitted`] (a device, and not the superuser), [`FsError::AccessDenied`],
    /// [`FsError::NameTooLong`], [`FsError::Invalid`] for a target that no link can have, [`FsError::NoSpace`],
    /// [`FsError::NotDirectory`], [`FsError::Stale`].
    pub fn make_node(
        &self,
        dir: Ino,
        name: &[u8],
        node: NewNode,
        attributes: &SetAttributes,
        who: &Credential,
    ) -> Result<Created, FsError> {
        let special = |kind, device| Fresh { kind, content: NewContent::None, device, default_mode: 0o644 };
        let fresh = match node {
            NewNode::Directory => Fresh {
                kind: Kind::Directory,
                content: NewContent::Directory(dir),
                device: (0, 0),
                default_mode: 0o755,
            },
            NewNode::Symlink(target) => {
                check_target(&target)?;
                let content = NewContent::Symlink(target.into());
                Fresh { kind: Kind::Symlink, content, device: (0, 0), default_mode: 0o777 }
            }
            NewNode::CharacterDevice(..) | NewNode::BlockDevice(..) if !who.is_root() => {
                return Err(FsError::NotPermitted);
            }
            NewNode::CharacterDevice(major, minor) => special(Kind::CharacterDevice, (major, minor)),
            NewNode::BlockDevice(major, minor) => special(Kind::BlockDevice, (major, minor)),
            NewNode::Fifo => special(Kind::Fifo, (0, 0)),
            NewNode::Socket => special(Kind::Socket, (0, 0)),
        };
        let attributes = SetAttributes { size: None, ..*attributes };
        let mutation = self.mutation()?;
        let mut tree = mutation.tree();
        let created = make(&mut tree, dir, name, fresh, &attributes, who)?;
        tree.commit(who.call)?;
        Ok(created)
    }

    /// Gives `ino` the further name `name` in `dir`.
    ///
    /// # Errors
    /// [`FsError::IsDirectory`] if it is one, [`FsError::Exists`], [`FsError::TooManyLinks`],
    /// [`FsError::AccessDenied`], [`FsError::NameTooLong`], [`FsError::NotDirectory`], [`FsError::Stale`].
    pub fn link(&self, ino: Ino, dir: Ino, name: &[u8], who: &Credential) -> Result<Created, FsError> {
        let mutation = self.mutation()?;
        let mut tree = mutation.tree();
        check_name(name)?;
        let meta = tree.meta(ino)?;
        if meta.kind == Kind::Directory {
            // As Linux's server says; programs get their EPERM from the client, which does not even ask.
            return Err(FsError::IsDirectory);
        }
        let before = tree.attributes(dir)?;
        check_absent(&tree, dir, name, who)?;
        tree.check_room(name)?;
        if meta.nlink >= MAX_LINKS {
            return Err(FsError::TooManyLinks);
        }
        tree.insert_name(dir, name, ino)?;
        let now = Timestamp::now();
        let meta = &mut tree.inode_mut(ino)?.meta;
        meta.nlink += 1;
        meta.ctime = now;
        tree.touch(dir, 0, now)?;
        let object = tree.attributes(ino)?;
        let directory = WccPair { before, after: tree.attributes(dir)? };
        tree.commit(who.call)?;
        Ok(Created { object, directory })
    }
}

/// Makes a regular file; an initial size is a hole.
fn create_file(
    tree: &mut Tree,
    dir: Ino,
    name: &[u8],
    how: CreateMode,
    who: &Credential,
) -> Result<Created, FsError> {
    let (attributes, verifier) = match how {
        CreateMode::Unchecked(attributes) | CreateMode::Guarded(attributes) => (attributes, None),
        CreateMode::Exclusive(verifier) => (SetAttributes::with_mode(0), Some(verifier)),
    };
    if attributes.size.is_some_and(|size| size > MAX_FILE_SIZE) {
        return Err(FsError::FileTooLarge);
    }
    let fresh = Fresh { kind: Kind::Regular, content: NewContent::File, device: (0, 0), default_mode: 0o644 };
    let mut created = make(tree, dir, name, fresh, &attributes, who)?;
    let ino = created.object.ino;
    tree.inode_mut(ino)?.verifier = verifier;
    if let Some(size) = attributes.size {
        tree.set_initial_size(ino, size)?;
        created.object = tree.attributes(ino)?;
    }
    Ok(created)
}

/// The answer for a file that was there already.
fn reused(tree: &Tree, dir: Ino, ino: Ino) -> Result<Created, FsError> {
    let directory = tree.attributes(dir)?;
    Ok(Created { object: tree.attributes(ino)?, directory: WccPair { before: directory, after: directory } })
}

/// Checks that `who` may add `name` to `dir`. An existing name is told before a missing permission, as POSIX has it.
fn check_absent(tree: &Tree, dir: Ino, name: &[u8], who: &Credential) -> Result<(), FsError> {
    tree.may_search(dir, who)?;
    match tree.lookup(dir, name) {
        Ok(_) => Err(FsError::Exists),
        Err(FsError::NotFound) => tree.may_change(dir, who),
        Err(error) => Err(error),
    }
}

fn make(
    tree: &mut Tree,
    dir: Ino,
    name: &[u8],
    fresh: Fresh,
    attributes: &SetAttributes,
    who: &Credential,
) -> Result<Created, FsError> {
    check_name(name)?;
    check_absent(tree, dir, name, who)?;
    let before = tree.attributes(dir)?;
    let parent = tree.meta(dir)?;
    let kind = fresh.kind;
    let is_directory = kind == Kind::Directory;
    let meta = new_meta(&parent, &fresh, attributes, who);
    // Size and mode are in place. Clients state an owner and a group unasked; those that the caller could not give the
    // object afterwards are ignored, as Linux's server does.
    let may_have = |gid| who.is_root() || who.in_group(gid);
    let rest = SetAttributes {
        mode: None,
        size: None,
        uid: attributes.uid.filter(|uid| who.is_root() && *uid != meta.uid),
        gid: attributes.gid.filter(|gid| may_have(*gid) && *gid != meta.gid),
        ..*attributes
    };
    tree.check_room(name)?;
    if is_directory && parent.nlink >= MAX_LINKS {
        return Err(FsError::TooManyLinks);
    }
    let ino = tree.add(meta, fresh.content)?;
    if rest != SetAttributes::default() {
        let mode = Some(meta.mode);
        apply(tree, ino, &SetAttributes { mode, ..rest }, who)?;
    }
    if let Err(error) = tree.insert_name(dir, name, ino) {
        tree.forget(ino);
        return Err(error);
    }
    tree.touch(dir, i32::from(is_directory), Timestamp::now())?;
    Ok(Created { object: tree.attributes(ino)?, directory: WccPair { before, after: tree.attributes(dir)? } })
}

/// Owner, group and mode of a new object: a set-group-id directory hands down its group, and to directories the bit.
fn new_meta(parent: &Meta, fresh: &Fresh, attributes: &SetAttributes, who: &Credential) -> Meta {
    let inherits = parent.mode & 0o2000 != 0;
    let gid = if inherits { parent.gid } else { who.gid };
    let mut mode = match fresh.kind {
        Kind::Symlink => 0o777,
        _ => attributes.mode.unwrap_or(fresh.default_mode) & 0o7777,
    };
    if fresh.kind == Kind::Directory {
        mode |= if inherits { 0o2000 } else { 0 };
    } else if mode & 0o2010 == 0o2010 && !who.is_root() && !who.in_group(gid) {
        mode &= !0o2000;
    }
    let now = Timestamp::now();
    Meta {
        kind: fresh.kind,
        mode,
        nlink: if fresh.kind == Kind::Directory { 2 } else { 1 },
        uid: who.uid,
        gid,
        device: fresh.device,
        atime: now,
        mtime: now,
        ctime: now,
    }
}
