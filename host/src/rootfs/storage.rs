//! What a layer is made of on the bench PC: the lower layer, the store of changed data, the log.

use std::sync::Arc;

use super::Lower;
use super::block_store::BlockStore;
use super::journal::Journal;

/// Shared by a layer and its files.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) lower: Arc<Lower>,
    pub(super) store: BlockStore,
    pub(super) journal: Journal,
}
