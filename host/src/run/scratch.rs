//! Scratch directories below the cache: one per run, gone with it.
//!
//! A run that was killed leaves its directory behind; the next run finds that nobody holds its lock and removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Name of the file whose lock says that a run uses the directory.
const LOCK: &str = "lock";

/// A directory for a run's own files; removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: tempfile::TempDir,
    _lock: File,
}

impl Scratch {
    /// Removes what killed runs left in `parent` and makes a new directory there.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        sweep(parent)?;
        let directory = tempfile::Builder::new().prefix("run-").tempdir_in(parent)?;
        let lock = File::create_new(directory.path().join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { directory, _lock: lock })
    }

    /// A new directory in it, whose name begins with `prefix`.
    pub(crate) fn subdirectory(&self, prefix: &str) -> io::Result<PathBuf> {
        let made =
            tempfile::Builder::new().prefix(&format!("{prefix}-")).tempdir_in(self.directory.path())?;
        Ok(made.keep())
    }
}

fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        // A directory without a lock file belongs to a run that starts this moment.
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => (),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_as_many_directories_as_it_asks_for() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(parent.path()).unwrap();
        let (first, second) = (scratch.subdirectory("node").unwrap(), scratch.subdirectory("node").unwrap());
        assert!(first.is_dir() && second.is_dir() && first != second);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_a_running_one_uses_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let running = Scratch::create(parent.path()).unwrap();
        let used = running.subdirectory("layer").unwrap();
        let killed = parent.path().join("run-killed");
        fs::create_dir(&killed).unwrap();
        File::create(killed.join(LOCK)).unwrap();

        let next = Scratch::create(parent.path()).unwrap();
        assert!(used.exists());
        assert!(!killed.exists());
        drop((running, next));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
