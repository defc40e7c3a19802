//! What a layer is made of on the bench PC: the lower layer, the store of changed data, the log.

use std::sync::Arc;

use super::block_store::BlockStore;
use super::journal::Journal;
use super::{FsError, Lower};

/// Shared by a layer and its files.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) lower: Arc<Lower>,
    pub(super) store: BlockStore,
    pub(super) journal: Journal,
}

impl Storage {
    /// Writes data and then log to the disk itself, and lets blocks be used that waited for that.
    ///
    /// # Errors
    /// [`FsError::Io`]: nothing may be changed from now on.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        let let_go = self.store.take_waiting();
        let synced = self.sync_data().and_then(|()| self.journal.sync());
        match synced {
            Ok(()) => let_go.into_iter().for_each(|run| self.store.give_free(run)),
            Err(_) => self.store.keep_waiting(let_go),
        }
        synced
    }

    /// Writes data to the disk itself. Nobody can say which of it is there once that has failed.
    ///
    /// # Errors
    /// [`FsError::Io`]: nothing may be changed from now on.
    pub(super) fn sync_data(&self) -> Result<(), FsError> {
        self.store.sync().inspect_err(|_| self.journal.end())
    }
}
