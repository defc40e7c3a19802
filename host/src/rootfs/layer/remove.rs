//! Removing names.

use super::{Layer, WccPair};
use crate::rootfs::permission::check_component;
use crate::rootfs::tree::Tree;
use crate::rootfs::{Credential, FsError, Ino, Kind, Timestamp};

impl Layer {
    /// Removes the name `name` of anything but a directory; the object goes with its last name.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::IsDirectory`], [`FsError::AccessDenied`], [`FsError::NotPermitted`] (sticky
    /// directory), [`FsError::NotDirectory`], [`FsError::Stale`].
    pub fn remove(&self, dir: Ino, name: &[u8], who: &Credential) -> Result<WccPair, FsError> {
        let mutation = self.mutation()?;
        let mut tree = mutation.tree();
        // As Linux says of them: they are directories like any other.
        if matches!(name, b"." | b"..") {
            return Err(FsError::IsDirectory);
        }
        let ino = removable(&tree, dir, name, who)?;
        if tree.meta(ino)?.kind == Kind::Directory {
            return Err(FsError::IsDirectory);
        }
        let before = tree.attributes(dir)?;
        let now = Timestamp::now();
        tree.remove_name(dir, name)?;
        tree.drop_link(ino, now)?;
        tree.touch(dir, 0, now)?;
        let after = tree.attributes(dir)?;
        tree.commit(who.call)?;
        Ok(WccPair { before, after })
    }

    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// [`FsError::NotEmpty`], [`FsError::NotDirectory`], [`FsError::Invalid`] for `.`, [`FsError::Exists`] for `..`
    /// (RFC 1813 §3.3.13), and as [`Layer::remove`].
    pub fn remove_directory(&self, dir: Ino, name: &[u8], who: &Credential) -> Result<WccPair, FsError> {
        let mutation = self.mutation()?;
        let mut tree = mutation.tree();
        let ino = removable(&tree, dir, name, who)?;
        if !tree.is_empty(ino)? {
            return Err(FsError::NotEmpty);
        }
        let before = tree.attributes(dir)?;
        tree.remove_name(dir, name)?;
        tree.forget(ino);
        tree.touch(dir, -1, Timestamp::now())?;
        let after = tree.attributes(dir)?;
        tree.commit(who.call)?;
        Ok(WccPair { before, after })
    }
}

/// The inode `name` of `dir`, if `who` may take the name away.
pub(super) fn removable(tree: &Tree, dir: Ino, name: &[u8], who: &Credential) -> Result<Ino, FsError> {
    match name {
        b"." => return Err(FsError::Invalid),
        b".." => return Err(FsError::Exists),
        _ => check_component(name)?,
    }
    tree.may_search(dir, who)?;
    let ino = tree.lookup(dir, name)?;
    tree.may_change(dir, who)?;
    tree.may_unlink(dir, ino, who)?;
    Ok(ino)
}
