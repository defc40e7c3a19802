//! Moving names.

use super::create::MAX_LINKS;
use super::remove::removable;
use super::{Layer, WccPair};
use crate::rootfs::permission::check_name;
use crate::rootfs::tree::Tree;
use crate::rootfs::{Credential, FsError, Ino, Kind, Timestamp};

/// The two directories of a move, before and after; the same pair twice if there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Where the name was.
    pub from: WccPair,
    /// Where it is.
    pub to: WccPair,
}

impl Layer {
    /// Moves `from` (directory and name) to `to`, replacing what has that name, at once for every onlooker.
    ///
    /// Does nothing if both are names of one file.
    ///
    /// # Errors
    /// [`FsError::NotFound`]; [`FsError::Invalid`] for `.`, `..` and a directory into itself; [`FsError::NotEmpty`],
    /// [`FsError::NotDirectory`] and [`FsError::IsDirectory`] if the target cannot be replaced;
    /// [`FsError::AccessDenied`], [`FsError::NotPermitted`] (sticky directory), [`FsError::NameTooLong`],
    /// [`FsError::TooManyLinks`], [`FsError::NoSpace`], [`FsError::Stale`].
    pub fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), who: &Credential) -> Result<Renamed, FsError> {
        let mutation = self.mutation()?;
        let mut tree = mutation.tree();
        if [from.1, to.1].iter().any(|name| matches!(*name, b"." | b"..")) {
            return Err(FsError::Invalid);
        }
        check_name(to.1)?;
        let before = (tree.attributes(from.0)?, tree.attributes(to.0)?);
        let ino = removable(&tree, from.0, from.1, who)?;
        tree.may_change(to.0, who)?;
        let is_directory = tree.meta(ino)?.kind == Kind::Directory;
        if is_directory {
            check_directory_move(&tree, ino, from.0, to.0, who)?;
        }
        let replaced = match tree.lookup(to.0, to.1) {
            Ok(other) if other == ino => None,
            Ok(other) => {
                tree.may_unlink(to.0, other, who)?;
                check_replaceable(&tree, is_directory, other)?;
                Some(Some(other))
            }
            Err(FsError::NotFound) => Some(None),
            Err(error) => return Err(error),
        };
        if let Some(replaced) = replaced {
            if is_directory && from.0 != to.0 && replaced.is_none() && before.1.nlink >= MAX_LINKS {
                return Err(FsError::TooManyLinks);
            }
            move_name(&mut tree, ino, from, to, replaced)?;
        }
        let renamed = Renamed {
            from: WccPair { before: before.0, after: tree.attributes(from.0)? },
            to: WccPair { before: before.1, after: tree.attributes(to.0)? },
        };
        tree.commit(who.call)?;
        Ok(renamed)
    }
}

/// A directory must not go below itself, and changing its `..` needs permission to write it.
fn check_directory_move(tree: &Tree, ino: Ino, from: Ino, to: Ino, who: &Credential) -> Result<(), FsError> {
    let mut above = to;
    while above != Ino::ROOT {
        if above == ino {
            return Err(FsError::Invalid);
        }
        above = tree.parent(above)?;
    }
    if from != to && tree.meta(ino)?.permitted(who) & 2 == 0 {
        return Err(FsError::AccessDenied);
    }
    Ok(())
}

fn check_replaceable(tree: &Tree, is_directory: bool, other: Ino) -> Result<(), FsError> {
    match (is_directory, tree.meta(other)?.kind == Kind::Directory) {
        (true, false) => Err(FsError::NotDirectory),
        (false, true) => Err(FsError::IsDirectory),
        (true, true) if !tree.is_empty(other)? => Err(FsError::NotEmpty),
        _ => Ok(()),
    }
}

fn move_name(
    tree: &mut Tree,
    ino: Ino,
    from: (Ino, &[u8]),
    to: (Ino, &[u8]),
    replaced: Option<Ino>,
) -> Result<(), FsError> {
    let now = Timestamp::now();
    let is_directory = tree.meta(ino)?.kind == Kind::Directory;
    tree.directory_mut(from.0)?;
    tree.remove_name(to.0, to.1)?;
    tree.insert_name(to.0, to.1, ino)?;
    tree.remove_name(from.0, from.1)?;
    match replaced {
        Some(other) if is_directory => {
            tree.forget(other);
            tree.touch(to.0, -1, now)?;
        }
        Some(other) => tree.drop_link(other, now)?,
        None => {}
    }
    let moved = i32::from(is_directory);
    tree.touch(from.0, -moved, now)?;
    tree.touch(to.0, moved, now)?;
    if is_directory {
        tree.set_parent(ino, to.0)?;
    }
    tree.inode_mut(ino)?.meta.ctime = now;
    Ok(())
}
