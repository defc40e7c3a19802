//! The log written anew, as short as the layer's state allows.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLockWriteGuard};

use super::Layer;
use crate::rootfs::calls::Calls;
use crate::rootfs::inode::{Content, Inode, NewContent};
use crate::rootfs::journal::Change;
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::UpperFile;
use crate::rootfs::{Durability, Ino};

/// Extents of a file that go into one change.
const RUNS_PER_CHANGE: usize = 1024;

impl Layer {
    /// Forgets which calls were carried out: their client is gone, and another one may use the same numbers.
    pub(in crate::rootfs) fn forget_calls(&self) {
        self.tree.write().unwrap_or_else(PoisonError::into_inner).calls = Calls::default();
        self.compact();
    }

    /// Writes the log anew while nothing is changed. If the disk is full, the old log goes on.
    pub(super) fn compact(&self) {
        let alone = self.compaction.write().unwrap_or_else(PoisonError::into_inner);
        self.replace_log(&alone);
    }

    /// The same if the log still is long: of all operations that find it so at the same time, one writes it anew.
    pub(super) fn compact_if_long(&self) {
        let alone = self.compaction.write().unwrap_or_else(PoisonError::into_inner);
        if self.storage.journal.is_long() {
            self.replace_log(&alone);
        }
    }

    fn replace_log(&self, _alone: &RwLockWriteGuard<'_, ()>) {
        let tree = self.tree();
        let journal = &self.storage.journal;
        let calls = tree.calls.iter().map(|id| Change::Call { id });
        let changes = std::iter::once(Change::Next { ino: tree.next })
            .chain(calls)
            .chain(tree.changed.iter().flat_map(|(ino, inode)| inode_changes(&tree, *ino, inode.as_ref())));
        if journal.replace(changes, self.durability == Durability::Power).is_err() {
            journal.postpone_replacing();
        }
    }
}

#[cfg(test)]
impl Layer {
    /// Lets every change wait for as long as what is returned lives, as a log that is written anew does.
    pub(crate) fn hold_changes(&self) -> RwLockWriteGuard<'_, ()> {
        self.compaction.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inode as the changes that lead to it from the lower layer.
fn inode_changes<'t>(tree: &'t Tree, ino: Ino, inode: Option<&'t Inode>) -> Vec<Change<'t>> {
    let Some(inode) = inode else { return vec![Change::Forget { ino }] };
    let mut changes = Vec::new();
    let is_new = tree.lower.get(ino).is_none();
    match &inode.content {
        Content::Lower => {}
        Content::File(file) => file_changes(file, ino, &mut changes),
        Content::Directory(directory) => {
            if is_new {
                changes.push(Change::New { ino, content: NewContent::Directory(directory.parent) });
            }
            let next_cookie = directory.next_cookie();
            changes.push(Change::Listing { dir: ino, parent: directory.parent, next_cookie });
            changes.extend(directory.list(0).map(|(cookie, name, child)| Change::Insert {
                dir: ino,
                cookie,
                name: Cow::Borrowed(name),
                ino: child,
            }));
        }
        Content::Symlink(target) => {
            changes.push(Change::New { ino, content: NewContent::Symlink(target.clone()) });
        }
        Content::None => changes.push(Change::New { ino, content: NewContent::None }),
    }
    changes.push(Change::Meta { ino, meta: inode.meta, verifier: inode.verifier });
    changes
}

fn file_changes(file: &UpperFile, ino: Ino, changes: &mut Vec<Change<'_>>) {
    match file.visible() {
        Some(bytes) => changes.extend([Change::CopyUp { ino }, Change::Visible { ino, bytes }]),
        None => changes.push(Change::New { ino, content: NewContent::File }),
    }
    let size = file.size();
    for runs in file.runs().chunks(RUNS_PER_CHANGE) {
        changes.push(Change::Extents { ino, size, runs: runs.to_vec() });
    }
    changes.push(Change::Extents { ino, size, runs: Vec::new() });
}
