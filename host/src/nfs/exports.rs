//! Which address sees which layer, and how busy it is.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use nfs3_types::nfs3::nfsstat3;

use crate::rootfs::{Ino, Layer};
use crate::text::Size;

/// Bytes of a file handle: layer (8), inode number (4).
pub(super) const HANDLE_LENGTH: usize = 12;

/// Mounts that are noted of an export. No board has as many, and it could claim any number.
const MAX_MOUNTS: usize = 64;

/// The exports of a server. An address sees only what was added for it.
#[derive(Debug)]
pub struct Exports {
    by_id: RwLock<HashMap<u64, Arc<Export>>>,
    next: AtomicU64,
}

/// One exported layer.
#[derive(Debug)]
pub(super) struct Export {
    /// How many exports were added before.
    order: u64,
    pub(super) peer: IpAddr,
    pub(super) path: String,
    pub(super) layer: Arc<Layer>,
    /// What is mounted: the root directory by an empty path, others by their paths below it.
    mounts: Mutex<BTreeSet<Vec<u8>>>,
    calls: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    last_call: Mutex<Option<Instant>>,
}

/// What has happened on an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Whether the board has mounted it and not unmounted since.
    pub mounted: bool,
    /// NFS calls on it.
    pub calls: u64,
    /// Bytes of file data read by the board.
    pub read_bytes: u64,
    /// Bytes of file data written by the board.
    pub written_bytes: u64,
    /// When the last call came.
    pub last_call: Option<Instant>,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last_call) = self.last_call else {
            let mounted = if self.mounted {
                "mounted its root filesystem, but never read it"
            } else {
                "never mounted its root filesystem"
            };
            return write!(f, "the board {mounted}");
        };
        let [read, written] = [self.read_bytes, self.written_bytes].map(Size);
        let (calls, ago) = (self.calls, last_call.elapsed().as_secs_f64());
        write!(
            f,
            "root filesystem by NFS: {read} read, {written} written, {calls} calls, the last {ago:.1} s ago"
        )
    }
}

/// An export for as long as this lives; its handles are stale afterwards.
#[derive(Debug)]
pub struct ExportGuard {
    exports: Arc<Exports>,
    export: Arc<Export>,
}

impl Exports {
    /// No exports.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { by_id: RwLock::default(), next: AtomicU64::new(0) })
    }

    /// Lets `peer` mount `layer` as `path`; a newer export hides an older one of the same address and path. A layer is
    /// exported once at a time.
    pub fn add(self: &Arc<Self>, peer: IpAddr, path: String, layer: Arc<Layer>) -> ExportGuard {
        let id = layer.id();
        let export = Arc::new(Export {
            order: self.next.fetch_add(1, Ordering::Relaxed),
            peer: peer.to_canonical(),
            path,
            layer,
            mounts: Mutex::default(),
            calls: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            last_call: Mutex::new(None),
        });
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&export));
        ExportGuard { exports: Arc::clone(self), export }
    }

    /// The exports of `peer`, newest first.
    pub(super) fn of(&self, peer: IpAddr) -> Vec<Arc<Export>> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let mut exports: Vec<_> = by_id.values().filter(|export| export.peer == peer).cloned().collect();
        exports.sort_by_key(|export| std::cmp::Reverse(export.order));
        exports
    }

    /// Whether `peer` has an export.
    pub(super) fn has(&self, peer: IpAddr) -> bool {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.values().any(|export| export.peer == peer)
    }

    /// Export and inode of a handle that came from `peer`.
    ///
    /// # Errors
    /// `NFS3ERR_BADHANDLE` for what never was a handle of this server's kind, `NFS3ERR_STALE` for one of an export
    /// that has ended or belongs to another address.
    pub(super) fn find(&self, peer: IpAddr, handle: &[u8]) -> Result<(Arc<Export>, Ino), nfsstat3> {
        let (id, ino) = handle.split_first_chunk().ok_or(nfsstat3::NFS3ERR_BADHANDLE)?;
        let ino: [u8; 4] = ino.try_into().map_err(|_| nfsstat3::NFS3ERR_BADHANDLE)?;
        let export = {
            let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
            by_id.get(&u64::from_be_bytes(*id)).filter(|export| export.peer == peer).cloned()
        };
        let export = export.ok_or(nfsstat3::NFS3ERR_STALE)?;
        let ino = Ino::new(u32::from_be_bytes(ino)).ok_or(nfsstat3::NFS3ERR_BADHANDLE)?;
        Ok((export, ino))
    }

    /// As [`Exports::find`], and counts the call.
    ///
    /// # Errors
    /// As [`Exports::find`].
    pub(super) fn resolve(&self, peer: IpAddr, handle: &[u8]) -> Result<(Arc<Export>, Ino), nfsstat3> {
        let (export, ino) = self.find(peer, handle)?;
        export.calls.fetch_add(1, Ordering::Relaxed);
        *export.last_call.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok((export, ino))
    }
}

impl Export {
    /// The layer's number: an export has no other.
    pub(super) fn id(&self) -> u64 {
        self.layer.id()
    }

    /// The handle of `ino`, stable for the life of the layer.
    pub(super) fn handle(&self, ino: Ino) -> [u8; HANDLE_LENGTH] {
        let mut handle = [0; HANDLE_LENGTH];
        let (export, inode) = handle.split_at_mut(8);
        export.copy_from_slice(&self.id().to_be_bytes());
        inode.copy_from_slice(&ino.get().to_be_bytes());
        handle
    }

    /// Notes that the directory `below` is mounted.
    pub(super) fn note_mounted(&self, below: Vec<u8>) {
        let mut mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        if mounts.len() < MAX_MOUNTS {
            mounts.insert(below);
        }
    }

    /// Notes that the directory `below` is no longer mounted.
    pub(super) fn note_unmounted(&self, below: &[u8]) {
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner).remove(below);
    }

    /// Notes that nothing is mounted.
    pub(super) fn note_all_unmounted(&self) {
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The paths of what is mounted.
    pub(super) fn mounted(&self) -> Vec<Vec<u8>> {
        let mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |below: &Vec<u8>| match below.as_slice() {
            [] => self.path.clone().into_bytes(),
            below => [self.path.trim_end_matches('/').as_bytes(), b"/", below].concat(),
        };
        mounts.iter().map(path).collect()
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl ExportGuard {
    /// The path to mount.
    pub fn path(&self) -> &str {
        &self.export.path
    }

    /// Tells how many bytes were read and written so far, also after the export has ended.
    pub fn carried(&self) -> impl Fn() -> u64 + Send + use<> {
        let export = Arc::clone(&self.export);
        move || export.read_bytes.load(Ordering::Relaxed) + export.written_bytes.load(Ordering::Relaxed)
    }

    /// What has happened so far.
    pub fn activity(&self) -> Activity {
        let export = &self.export;
        Activity {
            mounted: !export.mounts.lock().unwrap_or_else(PoisonError::into_inner).is_empty(),
            calls: export.calls.load(Ordering::Relaxed),
            read_bytes: export.read_bytes.load(Ordering::Relaxed),
            written_bytes: export.written_bytes.load(Ordering::Relaxed),
            last_call: *export.last_call.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Drop for ExportGuard {
    fn drop(&mut self) {
        let mut by_id = self.exports.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.remove(&self.export.id());
    }
}
