//! The layer itself: made, opened again, limited, measured, kept or removed without a trace.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::check::Repair;
use super::recover::{clear_tails, recover};
use crate::rootfs::block_store::BlockStore;
use crate::rootfs::journal::{Journal, LogHeader};
use crate::rootfs::storage::Storage;
use crate::rootfs::syncs::sync_names;
use crate::rootfs::tree::Tree;
use crate::rootfs::upper_file::MAX_FILE_SIZE;
use crate::rootfs::{Attributes, Durability, FsError, Ino, Lower, RootfsError};

/// Name of the file with the changed data in a layer's directory.
const DATA: &str = "data";
/// Name of the log.
const LOG: &str = "log";

/// The root filesystem of one job: a shared lower layer and what the job changed.
///
/// What was answered survives the end of this process by any signal: [`Layer::open`] goes on with the same inode
/// numbers, listings and data. Dropping a layer removes its directory, unless [`Layer::keep`] was called.
#[derive(Debug)]
pub struct Layer {
    pub(super) tree: RwLock<Tree>,
    /// Held for reading by whoever changes the layer, for writing while the log is written anew.
    pub(super) compaction: RwLock<()>,
    pub(super) storage: Arc<Storage>,
    pub(super) durability: Durability,
    write_verifier: [u8; 8],
    kept: AtomicBool,
    directory: PathBuf,
}

/// How a layer is kept on the bench PC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOptions {
    /// Bytes of changed data that it may hold; what exceeds them fails with ENOSPC. What the log takes is not counted.
    pub budget: u64,
    /// What its changes must survive.
    pub durability: Durability,
}

impl Default for LayerOptions {
    /// 8 GiB, and the end of the process.
    fn default() -> Self {
        Self { budget: 8 << 30, durability: Durability::Process }
    }
}

/// How full a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in the lower layer and in the layer together.
    pub used_bytes: u64,
    /// Bytes that still can be written: by the budget, and by the disk of the bench PC.
    pub free_bytes: u64,
    /// Inodes that there are.
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

impl Layer {
    /// A layer without changes in `directory` on the bench PC, which must not exist yet.
    ///
    /// # Errors
    /// [`RootfsError::Open`] and [`RootfsError::Journal`] if directory or files cannot be made.
    pub fn new(lower: Arc<Lower>, directory: PathBuf, options: LayerOptions) -> Result<Self, RootfsError> {
        let open = |source| RootfsError::Open { path: directory.clone(), source };
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent).map_err(open)?;
        }
        fs::create_dir(&directory).map_err(open)?;
        let data = open_data(&directory, true)?;
        let header = LogHeader::new(random().map_err(open)?, lower.identity());
        let journal = Journal::create(directory.join(LOG), header)?;
        if options.durability == Durability::Power {
            journal.sync().map_err(|_| open(io::Error::other("its log cannot be written to the disk")))?;
            sync_names(&directory).map_err(open)?;
        }
        let store = BlockStore::new(data, options);
        let storage = Arc::new(Storage { lower, store, journal });
        let tree = Tree::new(Arc::clone(&storage));
        Self::assemble(tree, storage, directory, options)
    }

    /// A layer that was made before, as it was when its last change was answered; and what had to be repaired.
    ///
    /// # Errors
    /// [`RootfsError::Open`] and [`RootfsError::Journal`] if its files are not there or not readable,
    /// [`RootfsError::OtherLower`] if it was made on another root filesystem, [`RootfsError::InUse`] while another
    /// process has it.
    pub fn open(
        lower: Arc<Lower>,
        directory: PathBuf,
        options: LayerOptions,
    ) -> Result<(Self, Vec<Repair>), RootfsError> {
        let data = lock(&directory)?;
        let journal = Journal::open(directory.join(LOG))?;
        if journal.header().lower != lower.identity() {
            return Err(RootfsError::OtherLower { path: directory });
        }
        let store = BlockStore::recovering(data, options);
        let (tree, storage, repairs) = recover(Storage { lower, store, journal })?;
        let layer = Self::assemble(tree, storage, directory, options)?;
        if !repairs.is_empty() {
            layer.compact();
        }
        // Blocks are free by a log that may not be on the disk yet.
        let synced = clear_tails(&layer.tree()).and_then(|()| layer.commit());
        let synced = synced.map_err(|_| io::Error::other("its data cannot be written to the disk"));
        synced.map_err(|source| RootfsError::Open { path: layer.directory.clone(), source })?;
        Ok((layer, repairs))
    }

    fn assemble(
        tree: Tree,
        storage: Arc<Storage>,
        directory: PathBuf,
        options: LayerOptions,
    ) -> Result<Self, RootfsError> {
        let id = storage.journal.header().layer;
        let life = match options.durability {
            Durability::Process => boot_id(),
            // A sync may have failed in the process before, and would succeed in this one.
            Durability::Power => {
                random().map_err(|source| RootfsError::Open { path: directory.clone(), source })?
            }
        };
        Ok(Self {
            tree: RwLock::new(tree),
            compaction: RwLock::default(),
            storage,
            durability: options.durability,
            write_verifier: (id ^ life).to_be_bytes(),
            kept: AtomicBool::new(false),
            directory,
        })
    }

    /// Keeps the layer when it is dropped; it can be opened again.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// A number that no other layer has; the same when it is opened again.
    pub fn id(&self) -> u64 {
        self.storage.journal.header().layer
    }

    /// What its changes must survive.
    pub const fn durability(&self) -> Durability {
        self.durability
    }

    /// Makes sure that what was written survives what it must ([`Durability`]).
    ///
    /// # Errors
    /// [`FsError::Io`] if the disk of the bench PC fails. What it lost may be any file's, and the kernel tells once: from
    /// then on every commit and every change fails, and nobody takes for stable what is not.
    pub fn commit(&self) -> Result<(), FsError> {
        if self.durability == Durability::Power {
            self.storage.sync()?;
        }
        Ok(())
    }

    /// Makes blocks free that wait for the log to be on the disk; whether there were any.
    pub(super) fn reclaim(&self) -> bool {
        self.storage.store.has_waiting() && self.commit().is_ok()
    }

    /// Tells one life of uncommitted data from the next (RFC 1813 §3.3.7). Without [`Durability::Power`], the data is in
    /// the page cache of the bench PC, and so outlives this process but not the PC's kernel.
    pub const fn write_verifier(&self) -> [u8; 8] {
        self.write_verifier
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
        let (used, free_bytes) = self.storage.store.usage();
        let lower = &self.storage.lower;
        let tree = self.tree();
        Usage {
            used_bytes: lower.bytes().saturating_add(used),
            free_bytes,
            used_inodes: tree.used_inodes(),
            free_inodes: u64::from(tree.free_inodes()),
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
}

impl Drop for Layer {
    fn drop(&mut self) {
        self.storage.store.freeze();
        if self.kept.load(Ordering::Relaxed) {
            // What the board did not ask to be on the disk may be there too.
            let _ = self.commit();
        } else {
            remove(&self.directory);
        }
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u64::from_le_bytes(bytes))
}

/// The first half of the number of this life of the bench PC's kernel (random(4)).
fn boot_id() -> u64 {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or_else(|_| u64::from(std::process::id()))
}

/// Removes a layer's files, and its directory unless somebody put something there.
fn remove(directory: &Path) {
    for file in [DATA, LOG] {
        // What is not there need not go.
        let _ = fs::remove_file(directory.join(file));
    }
    let _ = fs::remove_dir(directory);
}

/// Opens the file with the changed data of the layer in `directory`, and with it takes the layer for this process alone.
///
/// # Errors
/// [`RootfsError::Open`], and [`RootfsError::InUse`] while another process has it.
pub(in crate::rootfs) fn lock(directory: &Path) -> Result<File, RootfsError> {
    open_data(directory, false)
}

/// Opens or makes the file with the changed data, for this process alone.
fn open_data(directory: &Path, new: bool) -> Result<File, RootfsError> {
    let path = directory.join(DATA);
    let open = |source| RootfsError::Open { path: path.clone(), source };
    let file = OpenOptions::new().read(true).write(true).create_new(new).open(&path).map_err(open)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RootfsError::InUse { path: directory.to_owned() }),
        Err(error) => Err(open(io::Error::from(error))),
    }
}
