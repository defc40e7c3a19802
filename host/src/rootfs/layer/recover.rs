//! A layer from its log: the changes made again, in their order.

use std::sync::Arc;

use super::check::{Repair, check};
use crate::rootfs::directory::{Directory, FIRST_COOKIE};
use crate::rootfs::inode::{Content, Inode, NewContent};
use crate::rootfs::journal::Change;
use crate::rootfs::meta::Meta;
use crate::rootfs::permission::{check_name, check_target};
use crate::rootfs::storage::Storage;
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::UpperFile;
use crate::rootfs::{FsError, Ino, Kind, RootfsError};

/// Reads the log of `storage`, and checks what came of it.
///
/// # Errors
/// [`RootfsError::Journal`].
pub(super) fn recover(storage: Storage) -> Result<(Tree, Arc<Storage>, Vec<Repair>), RootfsError> {
    let storage = Arc::new(storage);
    let mut tree = Tree::new(Arc::clone(&storage));
    let mut unfit = 0;
    let torn = storage.journal.replay(&mut |change| {
        // What was done to a file that was gone already, such as a write to an unlinked one, left nothing.
        unfit += u64::from(!matches!(apply(&mut tree, change), Ok(()) | Err(FsError::Stale)));
        drop(tree.take_pending());
    })?;
    let mut repairs = Vec::new();
    repairs.extend((torn > 0).then_some(Repair::TornLog { bytes: torn }));
    repairs.extend((unfit > 0).then_some(Repair::UnfitChanges { count: unfit }));
    let used = check(&mut tree, &mut repairs);
    drop(tree.take_pending());
    tree.calls.end_process();
    tree.count_memory();
    storage.store.recovered(&used);
    Ok((tree, storage, repairs))
}

/// Clears what a killed process has left behind the ends of files.
///
/// # Errors
/// [`FsError::Io`].
pub(super) fn clear_tails(tree: &Tree) -> Result<(), FsError> {
    let inodes = tree.changed.values().flatten();
    let files = inodes.filter_map(|inode| match &inode.content {
        Content::File(file) => Some(file),
        _ => None,
    });
    files.into_iter().try_for_each(|file| file.restore_tail())
}

/// Makes a logged change again.
///
/// # Errors
/// [`FsError::Stale`] if what is changed is gone; any other if no layer makes such a change.
fn apply(tree: &mut Tree, change: Change<'_>) -> Result<(), FsError> {
    match change {
        Change::New { ino, content } => new(tree, ino, content)?,
        Change::CopyUp { ino } => drop(tree.copy_up(ino)?),
        Change::Meta { ino, meta, verifier } => {
            holds(tree.meta(ino)?.kind == meta.kind || may_become(tree, ino, meta.kind))?;
            holds(meta.is_valid())?;
            let inode = tree.inode_mut(ino)?;
            inode.meta = meta;
            inode.verifier = verifier;
        }
        Change::Forget { ino } => {
            holds(ino != Ino::ROOT)?;
            tree.forget(ino);
        }
        Change::Insert { dir, cookie, name, ino } => {
            check_name(&name)?;
            let listing = tree.directory_mut(dir)?;
            holds(listing.is_free(cookie, &name))?;
            listing.insert_at(cookie, &name, ino)?;
        }
        Change::Remove { dir, name } => {
            tree.directory_mut(dir)?.remove(&name);
        }
        Change::Parent { dir, parent } => tree.directory_mut(dir)?.parent = parent,
        Change::Listing { dir, parent, next_cookie } => {
            tree.directory(dir)?;
            holds((FIRST_COOKIE..=Ino::MAX.get() + 1).contains(&next_cookie))?;
            let listing = Directory::starting_at(parent, next_cookie);
            tree.inode_mut(dir)?.content = Content::Directory(Box::new(listing));
        }
        Change::Extents { ino, size, runs } => file(tree, ino)?.restore_extents(size, runs)?,
        Change::Truncate { ino, size } => file(tree, ino)?.restore_size(size)?,
        Change::Visible { ino, bytes } => file(tree, ino)?.restore_visible(bytes)?,
        Change::Next { ino } => tree.next = tree.next.max(ino),
        Change::Call { id } => tree.calls.insert(id),
    }
    Ok(())
}

fn holds(condition: bool) -> Result<(), FsError> {
    condition.then_some(()).ok_or(FsError::Invalid)
}

/// Adds an inode; its metadata follows in the same frame.
fn new(tree: &mut Tree, ino: Ino, content: NewContent) -> Result<(), FsError> {
    holds(tree.lower.get(ino).is_none() && !tree.changed.contains_key(&ino))?;
    let kind = match &content {
        NewContent::File => Kind::Regular,
        NewContent::Directory(_) => Kind::Directory,
        NewContent::Symlink(target) => {
            check_target(target)?;
            Kind::Symlink
        }
        NewContent::None => Kind::Fifo,
    };
    tree.insert_new(ino, Meta { kind, ..Meta::directory(0) }, content);
    Ok(())
}

/// Whether `ino` is a new device, fifo or socket: which one, its metadata says.
fn may_become(tree: &Tree, ino: Ino, kind: Kind) -> bool {
    let special = matches!(kind, Kind::CharacterDevice | Kind::BlockDevice | Kind::Fifo | Kind::Socket);
    special && matches!(tree.changed(ino), Ok(Some(Inode { content: Content::None, .. })))
}

/// The data of a file that was made or copied up.
fn file(tree: &Tree, ino: Ino) -> Result<&UpperFile, FsError> {
    tree.upper_file(ino)?.map(Arc::as_ref).ok_or(FsError::Invalid)
}
