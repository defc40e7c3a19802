//! Scratch directories below the cache: one per run, gone with it.
//!
//! A run that was killed leaves its directory behind; the next run finds that nobody holds its lock and removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Name of the file whose lock says that a run uses the directory.
const LOCK: &str = "lock";

/// How often a directory is made that others remove at once.
const ATTEMPTS: u32 = 10;

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
        for _ in 0..ATTEMPTS {
            if let Some(scratch) = Self::try_create(parent)? {
                return Ok(scratch);
            }
        }
        Err(io::Error::other(format!("other runs have removed a new directory {ATTEMPTS} times")))
    }

    /// A new directory; none if another run has taken it for one that a killed run has left.
    fn try_create(parent: &Path) -> io::Result<Option<Self>> {
        let directory = tempfile::Builder::new().prefix("run-").tempdir_in(parent)?;
        let path = directory.path().join(LOCK);
        let lock = match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            created => created?,
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // Whoever had the lock before has removed it.
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(|_| Some(Self { directory, _lock: lock })),
        }
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
        let removed = match File::open(path.join(LOCK)) {
            Ok(lock) => match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => fs::remove_dir_all(&path),
                Err(_) => Ok(()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => sweep_unlocked(&path),
            // Another user's.
            Err(_) => Ok(()),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(())
}

/// Removes a directory without a lock: of a run that was killed before it had made one, or while it removed all. A run that
/// makes its lock at this moment keeps its directory, or makes another one.
fn sweep_unlocked(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error)
            if error.kind() == io::ErrorKind::DirectoryNotEmpty && !path.join(LOCK).try_exists()? =>
        {
            fs::remove_dir_all(path)
        }
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory) =>
        {
            Ok(())
        }
        removed => removed,
    }
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
    fn runs_that_start_at_the_same_time_leave_each_other_their_directories() {
        let parent = tempfile::tempdir().unwrap();
        let made: Vec<Scratch> = std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Scratch::create(parent.path()).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(made.iter().all(|scratch| scratch.directory.path().join(LOCK).exists()));
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
        for cut_off in ["run-before-its-lock", "run-while-it-was-removed/layer"] {
            fs::create_dir_all(parent.path().join(cut_off)).unwrap();
        }
        let third = Scratch::create(parent.path()).unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3, "those of the three that run");
        drop((running, next, third));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
