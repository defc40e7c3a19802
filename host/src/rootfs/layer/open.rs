//! The layer itself: made, limited, measured, and removed without a trace.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::rootfs::block_store::BlockStore;
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::MAX_FILE_SIZE;
use crate::rootfs::{Attributes, FsError, Ino, Lower, RootfsError};

/// Bytes of changed data that a layer may hold if nothing else is said: 16 GiB.
const DEFAULT_BUDGET: u64 = 16 << 30;

/// The root filesystem of one job: a shared lower layer and what the job changed.
///
/// Dropping it gives all its disk space back.
#[derive(Debug)]
pub struct Layer {
    tree: RwLock<Tree>,
    pub(super) store: Arc<BlockStore>,
    pub(super) lower: Arc<Lower>,
    // Declared last: the directory can go once the store's file is closed.
    _directory: UpperDirectory,
}

/// How full a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in the lower layer and in the layer together.
    pub used_bytes: u64,
    /// Bytes that still can be written: by the budget, and by the disk of the bench PC.
    pub free_bytes: u64,
    /// Inodes of the lower layer.
    pub used_inodes: u64,
    /// Inodes that still can be made.
    pub free_inodes: u64,
}

/// Attributes of an object before and after an operation (RFC 1813 §2.6, weak cache consistency).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WccPair {
    /// Before.
    pub before: Attributes,
    /// After.
    pub after: Attributes,
}

/// A directory that goes when it is empty, if it was made here.
#[derive(Debug)]
struct UpperDirectory(Option<PathBuf>);

impl UpperDirectory {
    fn new(path: &Path) -> Result<Self, RootfsError> {
        if path.is_dir() {
            return Ok(Self(None));
        }
        fs::create_dir_all(path).map_err(|source| RootfsError::Open { path: path.to_owned(), source })?;
        Ok(Self(Some(path.to_owned())))
    }
}

impl Drop for UpperDirectory {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Fails only if somebody put something there, and then it is theirs.
            let _ = fs::remove_dir(path);
        }
    }
}

impl Layer {
    /// A layer without changes, with a budget of 16 GiB for changed data.
    ///
    /// Changed data goes to a file without a name in `upper_dir` on the bench PC, which is made if needed.
    ///
    /// # Errors
    /// [`RootfsError::Open`] if the directory or the file cannot be made.
    pub fn new(lower: Arc<Lower>, upper_dir: PathBuf) -> Result<Self, RootfsError> {
        Self::with_budget(lower, upper_dir, DEFAULT_BUDGET)
    }

    /// Like [`Layer::new`], with a budget of `budget` bytes for changed data; what exceeds it fails with ENOSPC.
    ///
    /// # Errors
    /// [`RootfsError::Open`] if the directory or the file cannot be made.
    pub fn with_budget(lower: Arc<Lower>, upper_dir: PathBuf, budget: u64) -> Result<Self, RootfsError> {
        let directory = UpperDirectory::new(&upper_dir)?;
        let file: File = tempfile::tempfile_in(&upper_dir)
            .map_err(|source| RootfsError::Open { path: upper_dir.clone(), source })?;
        Ok(Self {
            tree: RwLock::new(Tree::new(Arc::clone(&lower))),
            store: Arc::new(BlockStore::new(file, budget)),
            lower,
            _directory: directory,
        })
    }

    /// The root directory.
    pub const fn root(&self) -> Ino {
        Ino::ROOT
    }

    /// The largest file, in bytes.
    pub const fn max_file_size(&self) -> u64 {
        MAX_FILE_SIZE
    }

    /// How full the layer is.
    pub fn usage(&self) -> Usage {
        let (used, free_bytes) = self.store.usage();
        Usage {
            used_bytes: self.lower.bytes().saturating_add(used),
            free_bytes,
            used_inodes: self.lower.inode_count(),
            free_inodes: u64::from(self.tree().free_inodes()),
        }
    }

    /// Everything `stat` tells of `ino`.
    ///
    /// # Errors
    /// [`FsError::Stale`].
    pub fn attributes(&self, ino: Ino) -> Result<Attributes, FsError> {
        self.tree().attributes(ino)
    }

    pub(super) fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.tree.write().unwrap_or_else(PoisonError::into_inner)
    }
}
