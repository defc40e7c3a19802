//! Operations that only look: look-up, access, links, listings.

use std::ops::ControlFlow;

use super::Layer;
use crate::rootfs::permission::check_component;
use crate::rootfs::{Attributes, CallId, Credential, FsError, Ino, Kind};

/// What a caller may do with a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Read data or list names.
    pub read: bool,
    /// Change data or names.
    pub write: bool,
    /// Execute or search.
    pub execute: bool,
}

/// One name in a listing.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntry<'a> {
    /// Where to go on after this name: 1 is `.`, 2 is `..`, then rising, below 2^31.
    pub cookie: u32,
    /// The name.
    pub name: &'a [u8],
    /// The inode's attributes.
    pub attributes: Attributes,
}

/// How a listing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListEnd {
    /// Attributes of the directory.
    pub directory: Attributes,
    /// Whether every name was shown.
    pub complete: bool,
}

impl Layer {
    /// The inode `name` of `dir`; `.` and `..` included.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::AccessDenied`], [`FsError::NotDirectory`], [`FsError::NameTooLong`],
    /// [`FsError::Stale`].
    pub fn lookup(&self, dir: Ino, name: &[u8], who: &Credential) -> Result<Attributes, FsError> {
        check_component(name)?;
        let tree = self.tree();
        tree.may_search(dir, who)?;
        let ino = tree.lookup(dir, name)?;
        tree.attributes(ino)
    }

    /// What `who` may do with `ino`.
    ///
    /// # Errors
    /// [`FsError::Stale`].
    pub fn permissions(&self, ino: Ino, who: &Credential) -> Result<(Permissions, Attributes), FsError> {
        let tree = self.tree();
        let bits = tree.meta(ino)?.permitted(who);
        let permissions = Permissions { read: bits & 4 != 0, write: bits & 2 != 0, execute: bits & 1 != 0 };
        Ok((permissions, tree.attributes(ino)?))
    }

    /// Whether `call` is among the last 1024 that changed the layer in an earlier process, and may still be repeated: that is
    /// over five minutes after the layer was opened.
    pub fn has_carried_out_earlier(&self, call: CallId) -> bool {
        self.tree().calls.has_earlier(call)
    }

    /// The target of a symbolic link, and the link's attributes.
    ///
    /// # Errors
    /// [`FsError::Invalid`] if it is no link, [`FsError::Stale`].
    pub fn read_link(&self, ino: Ino) -> Result<(Vec<u8>, Attributes), FsError> {
        let tree = self.tree();
        Ok((tree.target(ino)?.to_vec(), tree.attributes(ino)?))
    }

    /// The extended attributes that `ino` has in the lower layer: keys and values of pax records. Numbers are never used
    /// twice, so they are those of the same object, changed or not.
    pub(in crate::rootfs) fn extended_attributes(&self, ino: Ino) -> impl Iterator<Item = (&str, &[u8])> {
        self.storage.lower.extended_attributes(ino)
    }

    /// Shows the names of `dir` with cookies above `after` (0: all) to `show` until it breaks.
    ///
    /// Cookies stay valid while names come and go: every name that stays is shown exactly once.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`], [`FsError::NotDirectory`], [`FsError::Stale`].
    pub fn read_directory(
        &self,
        dir: Ino,
        after: u32,
        who: &Credential,
        show: &mut dyn FnMut(DirectoryEntry<'_>) -> ControlFlow<()>,
    ) -> Result<ListEnd, FsError> {
        let tree = self.tree();
        let meta = tree.meta(dir)?;
        if meta.kind != Kind::Directory {
            return Err(FsError::NotDirectory);
        }
        if meta.permitted(who) & 4 == 0 {
            return Err(FsError::AccessDenied);
        }
        let directory = tree.attributes(dir)?;
        let dots = [(1, &b"."[..], dir), (2, &b".."[..], tree.parent(dir)?)];
        let names = dots.into_iter().filter(|(cookie, ..)| *cookie > after).chain(tree.list(dir, after)?);
        for (cookie, name, ino) in names {
            let attributes = tree.attributes(ino)?;
            if show(DirectoryEntry { cookie, name, attributes }).is_break() {
                return Ok(ListEnd { directory, complete: false });
            }
        }
        Ok(ListEnd { directory, complete: true })
    }
}
