//! What every change goes through: it is let in, logged, and only then answered.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use super::Layer;
use crate::rootfs::journal::Change;
use crate::rootfs::storage::Storage;
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::UpperFile;
use crate::rootfs::{CallId, FsError, Ino};

/// An operation that changes the layer; while it lasts, the log is not written anew.
#[derive(Debug)]
pub(super) struct Mutation<'l> {
    layer: &'l Layer,
    _no_compaction: RwLockReadGuard<'l, ()>,
}

/// The tree, to be changed. What was changed is logged by [`TreeMut::commit`], or, if the operation fails half-way,
/// when this is dropped: log and tree never differ.
#[derive(Debug)]
pub(super) struct TreeMut<'l> {
    tree: RwLockWriteGuard<'l, Tree>,
    storage: &'l Storage,
}

impl Layer {
    /// Begins an operation that changes the layer. One at a time per thread.
    ///
    /// # Errors
    /// [`FsError::NoSpace`] if the disk has no space for the log, [`FsError::Io`] if the log failed before.
    pub(super) fn mutation(&self) -> Result<Mutation<'_>, FsError> {
        if self.storage.journal.is_long() {
            self.compact_if_long();
        }
        let mutation = Mutation {
            layer: self,
            _no_compaction: self.compaction.read().unwrap_or_else(PoisonError::into_inner),
        };
        self.storage.journal.ready()?;
        Ok(mutation)
    }
}

impl<'l> Mutation<'l> {
    /// The tree, for this operation alone.
    pub(super) fn tree(&self) -> TreeMut<'l> {
        let tree = self.layer.tree.write().unwrap_or_else(PoisonError::into_inner);
        TreeMut { tree, storage: &self.layer.storage }
    }

    /// The data of a file that is about to be changed.
    ///
    /// # Errors
    /// [`FsError::Invalid`] if it is no regular file, [`FsError::Stale`], [`FsError::Io`].
    pub(super) fn copied_up(&self, ino: Ino) -> Result<Arc<UpperFile>, FsError> {
        if let Some(file) = self.layer.tree().upper_file(ino)? {
            return Ok(Arc::clone(file));
        }
        let mut tree = self.tree();
        let file = Arc::clone(tree.copy_up(ino)?);
        tree.commit(None)?;
        Ok(file)
    }
}

impl TreeMut<'_> {
    /// Logs what was changed, and with it that `call` is carried out: a kill leaves both or neither.
    ///
    /// Such a call is stable before its reply (RFC 1813 §4.7): WRITE is none, and what the runner does by itself is
    /// nobody's to be told of.
    ///
    /// # Errors
    /// [`FsError::Io`]: the layer cannot be changed any more.
    pub(super) fn commit(mut self, call: Option<CallId>) -> Result<(), FsError> {
        let (changes, gone) = self.tree.take_pending();
        let call_change = call.map(|id| Change::Call { id });
        let storage = self.storage;
        let logged = storage.journal.append(changes.into_iter().chain(call_change));
        if let (Ok(()), Some(call)) = (logged, call) {
            self.tree.calls.insert(call);
        }
        drop(self);
        // Gives their blocks back, now that the log knows, and without holding others up.
        drop(gone);
        logged?;
        if call.is_some() && storage.store.outlives_power() {
            // Data is not part of it: what was unstable may be lost still.
            storage.journal.sync()?;
        }
        Ok(())
    }
}

impl Deref for TreeMut<'_> {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

impl DerefMut for TreeMut<'_> {
    fn deref_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }
}

impl Drop for TreeMut<'_> {
    fn drop(&mut self) {
        let (changes, gone) = self.tree.take_pending();
        // A log that fails refuses the next operation; this one has failed anyway.
        let _ = self.storage.journal.append(changes);
        drop(gone);
    }
}
