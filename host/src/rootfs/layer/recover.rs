//! A layer from its log: the changes made again, in their order.

use std::sync::Arc;

use super::check::{Repair, check};
use crate::rootfs::directory::Directory;
use crate::rootfs::journal::Change;
use crate::rootfs::meta::Meta;
use crate::rootfs::storage::Storage;
use crate::rootfs::tree::{Content, Tree};
use crate::rootfs::{FsError, RootfsError};

/// Reads the log of `storage`, and checks what came of it.
///
/// # Errors
/// [`RootfsError::Journal`].
pub(super) fn recover(storage: Storage) -> Result<(Tree, Arc<Storage>, Vec<Repair>), RootfsError> {
    let storage = Arc::new(storage);
    let mut tree = Tree::new(Arc::clone(&storage));
    let torn = storage.journal.replay(&mut |change| {
        // A change that does not fit shows in the check of the whole.
        let _ = apply(&mut tree, change);
        drop(tree.take_pending());
    })?;
    let mut repairs: Vec<Repair> =
        (torn > 0).then_some(Repair::TornLog { bytes: torn }).into_iter().collect();
    let used = check(&mut tree, &mut repairs);
    drop(tree.take_pending());
    storage.store.recovered(&used);
    Ok((tree, storage, repairs))
}

/// Makes a logged change again.
fn apply(tree: &mut Tree, change: Change<'_>) -> Result<(), FsError> {
    match change {
        // Its metadata follows in the same frame.
        Change::New { ino, content } => tree.insert_new(ino, Meta::directory(0), content),
        Change::CopyUp { ino } => drop(tree.copy_up(ino)?),
        Change::Meta { ino, meta, verifier } => {
            let inode = tree.inode_mut(ino)?;
            inode.meta = meta;
            inode.verifier = verifier;
        }
        Change::Forget { ino } => tree.forget(ino),
        Change::Insert { dir, cookie, name, ino } => {
            tree.directory_mut(dir)?.insert_at(cookie, &name, ino)?
        }
        Change::Remove { dir, name } => {
            tree.directory_mut(dir)?.remove(&name);
        }
        Change::Parent { dir, parent } => tree.directory_mut(dir)?.parent = parent,
        Change::Listing { dir, parent, next_cookie } => {
            let listing = Directory::starting_at(parent, next_cookie);
            tree.inode_mut(dir)?.content = Content::Directory(Box::new(listing));
        }
        Change::Extents { ino, size, runs } => {
            if let Some(file) = tree.upper_file(ino)? {
                file.restore_extents(size, runs);
            }
        }
        Change::Truncate { ino, size } => {
            if let Some(file) = tree.upper_file(ino)? {
                file.restore_size(size);
            }
        }
        Change::Visible { ino, bytes } => {
            if let Some(file) = tree.upper_file(ino)? {
                file.restore_visible(bytes);
            }
        }
        Change::Next { ino } => tree.next = tree.next.max(ino),
        Change::Call { id } => tree.calls.insert(id),
    }
    Ok(())
}
