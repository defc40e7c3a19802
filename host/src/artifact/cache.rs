//! The content-addressed cache.
//!
//! ```text
//! blobs/<sha256>           a file, read-only; whoever uses it holds a shared lock on it
//! blobs/<sha256>.<suffix>  what was made from that file and can be made again; it goes with the file
//! records/<kind>-<key>     small JSON: which blob a URL or file led to, which blob another decompresses to
//! git/<key>.git            bare repositories
//! locks/<name>             one lock per thing that is being fetched
//! kept/<sha256>-<key>      link to a directory that needs the file: as long as that is there, the file is not removed
//! tmp/                     files that are being written, each locked by its writer
//! ```
//!
//! Everything is written to `tmp/` first, synchronised, and renamed, so that two runs, and a run that is killed,
//! leave whole entries only. Locks are `flock` locks: they end with the process that holds them. When a file was last
//! modified says when it was used last.

mod inventory;
mod prune;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use self::inventory::{CachedFile, CachedRepository, Inventory};
pub use self::prune::Pruned;
use rustix::fs::{Access, access};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use super::blob_writer::{BlobWriter, Written};
use super::checksum::{Checksums, Digests, name_of};
use super::copy::Budget;
use super::error::Reason;
use super::fetch::Artifact;
use super::retry::Retry;

/// How often a lock of another run is tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
/// A temporary file that is younger than this may not be locked by its writer yet.
const UNLOCKED_AGE: Duration = Duration::from_secs(60);
/// Largest artifact, downloaded or unpacked, in bytes.
const MAX_SIZE: u64 = 32 * 1024 * 1024 * 1024;
const DIRECTORIES: [&str; 6] = ["blobs", "records", "git", "locks", "kept", "tmp"];
/// Marks the directory for backup programs (Cache Directory Tagging Specification).
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

/// A cache directory.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
    temporaries: Arc<Mutex<Temporaries>>,
    pub(super) max_size: u64,
    pub(super) retry: Retry,
}

/// The temporary files that were made through a [`Cache`], those that have their name already among them.
#[derive(Debug, Default)]
struct Temporaries {
    paths: Vec<PathBuf>,
    closed: bool,
}

/// The cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {} in the cache", path.display())]
pub struct CacheError {
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

/// A file of the cache, and the shared lock that keeps it there.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) file: File,
}

impl Cache {
    /// Name of the file in a clone that says where it is from, and by its age when it was used last. Git has it too.
    pub(super) const DESCRIPTION: &str = "description";

    /// Opens the cache in `directory`, makes it if it is not there, and removes what killed runs left behind.
    ///
    /// # Errors
    /// [`CacheError`] names what cannot be made, or not be written by this user.
    pub fn open(directory: &Path) -> Result<Self, CacheError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError { path, source }
        };
        for name in DIRECTORIES {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(failed(&path))?;
            // Now, and not in the middle of a run: whoever made it may have been somebody else.
            let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
            access(&path, wanted).map_err(|error| failed(&path)(error.into()))?;
        }
        let root = directory.canonicalize().map_err(failed(directory))?;
        let tag = root.join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(&tag, CACHE_TAG).map_err(failed(&tag))?;
        }
        let tmp = root.join("tmp");
        remove_leftovers(&tmp).map_err(failed(&tmp))?;
        let temporaries = Arc::default();
        Ok(Self { root, temporaries, max_size: MAX_SIZE, retry: Retry::default() })
    }

    /// Ends all that is still being written: the files are removed under the hands of fetches that were dropped, for their
    /// threads end with the program, in the middle of whatever they do.
    pub fn close(&self) {
        let mut temporaries = self.temporaries.lock().unwrap_or_else(PoisonError::into_inner);
        temporaries.closed = true;
        for path in temporaries.paths.drain(..) {
            // Most have their name by now.
            let _ = fs::remove_file(path);
        }
    }

    /// Returns the directory of the cache.
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// Returns the directory of the bare repository `key`.
    pub(super) fn repository(&self, key: &str) -> PathBuf {
        self.root.join("git").join(format!("{key}.git"))
    }

    /// Returns the directory of files that do not have their name yet.
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Locks `name` for this run; the lock ends when the file is dropped.
    pub(super) fn lock(&self, name: &str, budget: &Budget) -> Result<File, Reason> {
        let path = self.root.join("locks").join(name);
        let failed = |source| Reason::Cache { path: path.clone(), source };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            match budget.remaining() {
                Ok(left) => std::thread::sleep(left.min(LOCK_INTERVAL)),
                Err(Reason::Timeout { .. }) => return Err(Reason::Locked { waited: started.elapsed() }),
                Err(reason) => return Err(reason),
            }
        }
    }

    /// Finds a file by its SHA-256 and, if it is known, its size; a file of another size is as good as none.
    pub(super) fn blob(&self, sha256: &str, size: Option<u64>) -> Option<Blob> {
        let path = self.blob_path(sha256);
        let file = File::open(&path).ok()?;
        file.try_lock_shared().ok()?;
        let metadata = file.metadata().ok()?;
        let found = metadata.len();
        if metadata.nlink() == 0 || size.is_some_and(|size| size != found) {
            // Removed between the two calls, or another file than the record says.
            return None;
        }
        // Another user's file stays as old as it is.
        let _ = file.set_modified(SystemTime::now());
        Some(Blob { path, size: found, file })
    }

    /// Starts to write a file.
    pub(super) fn writer(&self, demanded: &Checksums) -> Result<BlobWriter, Reason> {
        BlobWriter::new(self.temporary()?, demanded)
    }

    /// Keeps a written file under its SHA-256.
    pub(super) fn keep(&self, writer: BlobWriter) -> Result<(Blob, Digests), Reason> {
        let Written { temporary, size, digests } = writer.finish()?;
        let path = self.blob_path(&digests.sha256);
        let failed = |source| Reason::Cache { path: path.clone(), source };
        if self.blob(&digests.sha256, Some(size)).is_none() {
            let mut permissions = temporary.as_file().metadata().map_err(failed)?.permissions();
            permissions.set_readonly(true);
            temporary.as_file().set_permissions(permissions).map_err(failed)?;
            persist(temporary, &path).map_err(failed)?;
        }
        let blob = self.blob(&digests.sha256, Some(size));
        blob.map(|blob| (blob, digests)).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// Keeps what was made from `artifact` beside it, under its path with `suffix`; whatever was there is replaced.
    ///
    /// # Errors
    /// [`Reason::Cache`], and [`Reason::Cancelled`] once the cache is closed.
    pub fn keep_derived(&self, artifact: &Artifact, suffix: &str, content: &[u8]) -> Result<PathBuf, Reason> {
        let path = self.blob_path(&artifact.sha256).with_extension(suffix);
        let failed = |source| Reason::Cache { path: path.clone(), source };
        let mut temporary = self.temporary()?;
        temporary.write_all(content).map_err(failed)?;
        persist(temporary, &path).map_err(failed)?;
        Ok(path)
    }

    /// Keeps `artifact` from being removed as long as `directory` is there.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub fn keep_for(&self, artifact: &Artifact, directory: &Path) -> Result<(), CacheError> {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let name = format!("{}-{}", artifact.sha256, name_of(&directory.to_string_lossy()));
        let path = self.root.join("kept").join(name);
        match symlink(directory, &path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(CacheError { path, source }),
            _ => Ok(()),
        }
    }

    /// Reads a record; one that is missing or not readable is `None`: it only means more work.
    pub(super) fn record<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.record_path(kind, key)).ok()?).ok()
    }

    /// Writes a record.
    pub(super) fn set_record<T: Serialize>(&self, kind: &str, key: &str, value: &T) -> Result<(), Reason> {
        let path = self.record_path(kind, key);
        let failed = |source| Reason::Cache { path: path.clone(), source };
        let mut temporary = self.temporary()?;
        let json = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
        temporary.write_all(&json).map_err(failed)?;
        persist(temporary, &path).map_err(failed)
    }

    fn temporary(&self) -> Result<NamedTempFile, Reason> {
        let directory = self.tmp();
        let failed = |source| Reason::Cache { path: directory.clone(), source };
        let mut temporaries = self.temporaries.lock().unwrap_or_else(PoisonError::into_inner);
        if temporaries.closed {
            return Err(Reason::Cancelled);
        }
        let temporary = NamedTempFile::new_in(&directory).map_err(failed)?;
        temporaries.paths.push(temporary.path().to_owned());
        drop(temporaries);
        temporary.as_file().lock_shared().map_err(failed)?;
        Ok(temporary)
    }

    fn blob_path(&self, sha256: &str) -> PathBuf {
        self.root.join("blobs").join(sha256)
    }

    fn record_path(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join("records").join(format!("{kind}-{key}"))
    }
}

/// Gives a temporary file its name, on the disk too.
fn persist(temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Removes temporary files whose writers are gone.
fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Ok(file) = File::open(&path) else { continue };
        remove_if_left(&path, &file)?;
    }
    Ok(())
}

/// Removes the temporary file at `path`, open as `file`, if its writer is gone.
fn remove_if_left(path: &Path, file: &File) -> io::Result<()> {
    let age = file.metadata()?.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    if age.is_none_or(|age| age <= UNLOCKED_AGE) || file.try_lock().is_err() {
        return Ok(());
    }
    match fs::remove_file(path) {
        // Another run that starts now was first.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
