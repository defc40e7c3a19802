//! Removing what nobody uses any more, and what is damaged.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::inventory::{CachedFile, CachedRepository, Inventory, target};
use super::{Cache, CacheError};
use crate::artifact::checksum::{Checksums, Hasher};
use crate::artifact::copy::Budget;

/// What the name of a clone ends with while it is removed.
const REMOVED: &str = "removed";

/// What was removed, or would be.
#[derive(Debug, Default)]
pub struct Pruned {
    /// What is gone.
    pub removed: Inventory,
    /// What is old enough and was left: a run is using it.
    pub in_use: Inventory,
}

/// A file of the cache that this process alone has, if nobody else has it.
enum Claim {
    Alone(File),
    InUse,
    Gone,
}

impl Cache {
    /// Removes what no run has used since `before`, unless a run uses it now, or a kept root filesystem needs it. With
    /// `pretend`, nothing is removed.
    ///
    /// # Errors
    /// A directory cannot be read, or a file cannot be removed.
    pub fn prune(&self, before: SystemTime, pretend: bool) -> Result<Pruned, CacheError> {
        let Inventory { files, repositories } = self.inventory()?;
        let mut pruned = Pruned::default();
        for file in files.into_iter().filter(|file| file.used < before && file.kept_for.is_empty()) {
            let path = self.blob_path(&file.sha256);
            match claim(&path) {
                Claim::Alone(_claim) => {
                    if !pretend {
                        self.remove_file(&file)?;
                    }
                    pruned.removed.files.push(file);
                }
                Claim::InUse => pruned.in_use.files.push(file),
                // What was made from it is of no use without it.
                Claim::Gone => {
                    if !pretend {
                        self.remove_derived(&file)?;
                    }
                    pruned.removed.files.push(file);
                }
            }
        }
        for repository in repositories.into_iter().filter(|repository| repository.used < before) {
            match self.claim_repository(&repository) {
                Some(_claims) => {
                    if !pretend {
                        self.remove_repository(&repository)?;
                    }
                    pruned.removed.repositories.push(repository);
                }
                None => pruned.in_use.repositories.push(repository),
            }
        }
        if !pretend {
            self.remove_removed()?;
            self.remove_dangling()?;
        }
        Ok(pruned)
    }

    /// Reads every file, and removes those that are not what their names say unless a run uses them. `progress` is called
    /// before each.
    ///
    /// # Errors
    /// A directory or a file cannot be read, or a file cannot be removed.
    pub fn remove_damaged(&self, progress: &mut dyn FnMut(&CachedFile)) -> Result<Pruned, CacheError> {
        let mut damaged = Pruned::default();
        for file in self.inventory()?.files {
            progress(&file);
            if self.is_whole(&file.sha256)? {
                continue;
            }
            // Only now: whoever finds a file locked fetches it again.
            match claim(&self.blob_path(&file.sha256)) {
                Claim::InUse => damaged.in_use.files.push(file),
                Claim::Alone(_) | Claim::Gone => {
                    self.remove_file(&file)?;
                    damaged.removed.files.push(file);
                }
            }
        }
        self.remove_dangling()?;
        Ok(damaged)
    }

    /// Whether a file is what its name says. One that is gone is not: what was made from it is of no use to anybody.
    fn is_whole(&self, sha256: &str) -> Result<bool, CacheError> {
        let path = self.blob_path(sha256);
        let digest = match File::open(&path) {
            Ok(mut file) => digest(&mut file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => Err(error),
        };
        digest.map(|digest| digest == sha256).map_err(|source| CacheError { path, source })
    }

    /// Removes a file and what was made from it; what was made goes first, as it is found by the file.
    fn remove_file(&self, file: &CachedFile) -> Result<(), CacheError> {
        self.remove_derived(file)?;
        remove(&self.blob_path(&file.sha256))
    }

    /// Removes what was made from a file.
    fn remove_derived(&self, file: &CachedFile) -> Result<(), CacheError> {
        let derived = format!("{}.", file.sha256);
        for entry in self.entries("blobs")? {
            if entry.file_name().to_string_lossy().starts_with(&derived) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes records of files, and links to directories, that are not there.
    fn remove_dangling(&self) -> Result<(), CacheError> {
        let names = self.entries("blobs")?.into_iter().map(|entry| entry.file_name());
        let there: HashSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        for entry in self.entries("records")? {
            // A record that cannot be read is of no use either.
            if target(&entry.path()).is_none_or(|sha256| !there.contains(&sha256) && !self.has(&sha256)) {
                remove(&entry.path())?;
            }
        }
        for entry in self.entries("kept")? {
            if fs::metadata(entry.path()).is_err() {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Whether a file is there now: it may have come after the list was made.
    fn has(&self, sha256: &str) -> bool {
        self.blob_path(sha256).exists()
    }

    /// Keeps runs out of a clone; `None` if one is in it.
    fn claim_repository(&self, repository: &CachedRepository) -> Option<(File, Option<File>)> {
        let now = Budget::new(Instant::now() + Duration::from_millis(1));
        let lock = self.lock(&format!("git-{}", repository.key), &now).ok()?;
        match claim(&self.repository(&repository.key).join(Self::DESCRIPTION)) {
            Claim::Alone(claim) => Some((lock, Some(claim))),
            Claim::InUse => None,
            Claim::Gone => Some((lock, None)),
        }
    }

    /// Renamed first, so that nobody ever finds half of it.
    fn remove_repository(&self, repository: &CachedRepository) -> Result<(), CacheError> {
        let path = self.repository(&repository.key);
        let doomed = path.with_extension(REMOVED);
        fs::rename(&path, &doomed).map_err(|source| CacheError { path, source })?;
        remove_directory(&doomed)
    }

    /// Removes clones whose removal was interrupted.
    fn remove_removed(&self) -> Result<(), CacheError> {
        let paths = self.entries("git")?.into_iter().map(|entry| entry.path());
        let mut doomed = paths.filter(|path| path.extension().is_some_and(|extension| extension == REMOVED));
        doomed.try_for_each(|path| remove_directory(&path))
    }
}

fn claim(path: &Path) -> Claim {
    match File::open(path) {
        Ok(file) if file.try_lock().is_ok() => Claim::Alone(file),
        Ok(_) => Claim::InUse,
        Err(_) => Claim::Gone,
    }
}

fn remove_directory(path: &Path) -> Result<(), CacheError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CacheError { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Removes a file that another may have removed already.
fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CacheError { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The SHA-256 of a file.
fn digest(file: &mut File) -> io::Result<String> {
    let mut hasher = Hasher::new(&Checksums::default());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match io::Read::read(file, &mut buffer)? {
            0 => return Ok(hasher.finish().sha256),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}
