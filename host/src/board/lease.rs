//! Leases: a board belongs to one run at a time, across processes.
//!
//! A lease is an exclusive `flock` on a file of the state directory. The kernel drops it with the process, so that a killed
//! run leaves nothing to clean up; the file's content only says who holds it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longest description of a holder in bytes.
const MAX_HOLDER: u64 = 64 * 1024;

/// How often a lock file may be replaced under our hands before that is an error.
const MAX_RETRIES: usize = 100;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Directory or name of the run.
    pub run: String,
    /// Name of the job.
    pub job: String,
    /// When the lease was taken.
    pub since: jiff::Timestamp,
}

/// What a lease is for: a board, or the serial device that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    what: String,
    file: String,
}

impl Key {
    /// The board `name` of the bench file at `bench`.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved.
    pub fn board(bench: &Path, name: &str) -> io::Result<Self> {
        let bench = bench.canonicalize()?;
        Ok(Self::new(format!("board {name}"), &[bench.as_os_str().as_encoded_bytes(), name.as_bytes()]))
    }

    /// The serial device at `path`; links such as those of `/dev/serial/by-id` are followed.
    ///
    /// A device that is absent at the moment is leased by the path as it is.
    pub fn device(path: &Path) -> Self {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self::new(format!("device {}", path.display()), &[path.as_os_str().as_encoded_bytes()])
    }

    fn new(what: String, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let digits: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let kind = what.split(' ').next().unwrap_or_default();
        Self { file: format!("{kind}-{digits}.lock"), what }
    }
}

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run has it.
    #[error("{what} is in use{}", by(.holder.as_ref()))]
    Held {
        /// The board or device.
        what: String,
        /// Who holds it, unless it is only just taking it.
        holder: Option<Holder>,
    },
    /// The state directory could be written by others, or is not a directory.
    #[error("state directory {} is not ours alone (owner {owner}, mode {mode:04o})", .path.display())]
    Directory {
        /// Its path.
        path: PathBuf,
        /// User id of its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// A file or directory could not be made, read or locked.
    #[error("cannot use {}", .path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |Holder { pid, run, job, since }| {
        format!(" by run {run} of job `{job}` (process {pid}, since {since})")
    })
}

/// The directory of the lock files: below `$XDG_RUNTIME_DIR`, else `$XDG_STATE_HOME`, else `/tmp/host-runner-<uid>`.
///
/// `variable` looks up an environment variable.
pub fn state_directory(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> PathBuf {
    ["XDG_RUNTIME_DIR", "XDG_STATE_HOME"]
        .into_iter()
        .filter_map(variable)
        .map(PathBuf::from)
        .find(|path| path.is_absolute())
        .map_or_else(
            || PathBuf::from(format!("/tmp/host-runner-{}", rustix::process::getuid().as_raw())),
            |path| path.join("host-runner"),
        )
}

/// The right to use a board. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    files: Vec<LockFile>,
}

impl Lease {
    /// Takes all of `keys`, or none, without waiting.
    ///
    /// `directory` is made with mode 0700 if it does not exist.
    ///
    /// # Errors
    /// [`LeaseError::Held`] names the run that has it.
    pub fn acquire(directory: &Path, keys: &[Key], holder: &Holder) -> Result<Self, LeaseError> {
        prepare(directory)?;
        let files =
            keys.iter().map(|key| LockFile::lock(directory, key, holder)).collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    /// The lock files held, in the order of the keys.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }
}

#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    file: File,
}

impl LockFile {
    fn lock(directory: &Path, key: &Key, holder: &Holder) -> Result<Self, LeaseError> {
        let path = directory.join(&key.file);
        let failed = |source| LeaseError::File { path: path.clone(), source };
        for _ in 0..MAX_RETRIES {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LeaseError::Held { what: key.what.clone(), holder: read_holder(&file) });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // The last holder removes the file while it holds the lock: then this one is on a file that nobody else sees.
            let is_current = std::fs::metadata(&path).is_ok_and(|current| {
                file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (current.dev(), current.ino()))
            });
            if !is_current {
                continue;
            }
            write_holder(&mut file, holder).map_err(failed)?;
            return Ok(Self { path, file });
        }
        Err(failed(io::Error::other("the lock file is replaced all the time")))
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // A file that stays does no harm: the lock is what counts.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

fn prepare(directory: &Path) -> Result<(), LeaseError> {
    let failed = |source| LeaseError::File { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let metadata = std::fs::symlink_metadata(directory).map_err(failed)?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !metadata.is_dir() || owner != rustix::process::geteuid().as_raw() || mode != 0o700 {
        return Err(LeaseError::Directory { path: directory.to_owned(), owner, mode });
    }
    Ok(())
}

fn read_holder(file: &File) -> Option<Holder> {
    let mut text = Vec::new();
    file.take(MAX_HOLDER).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(holder)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    fn holder(run: &str) -> Holder {
        Holder { pid: 42, run: run.to_owned(), job: "smoke".to_owned(), since: jiff::Timestamp::UNIX_EPOCH }
    }

    struct Bench {
        directory: tempfile::TempDir,
        state: PathBuf,
        key: Key,
    }

    fn bench() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bench.toml");
        std::fs::write(&file, "").unwrap();
        Bench { state: directory.path().join("state"), key: Key::board(&file, "vb1").unwrap(), directory }
    }

    #[test]
    fn a_second_run_is_refused_and_told_who_has_the_board() {
        let Bench { state, key, directory: _directory } = bench();
        let keys = [key];
        let lease = Lease::acquire(&state, &keys, &holder("runs/1")).unwrap();
        let error = Lease::acquire(&state, &keys, &holder("runs/2")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "board vb1 is in use by run runs/1 of job `smoke` (process 42, since 1970-01-01T00:00:00Z)"
        );
        drop(lease);
        Lease::acquire(&state, &keys, &holder("runs/2")).unwrap();
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0, "a released lease leaves no file");
    }

    #[test]
    fn two_boards_on_one_device_exclude_each_other_and_the_loser_gives_all_back() {
        let Bench { state, key, directory } = bench();
        let device = directory.path().join("ttyUSB0");
        std::fs::write(&device, "").unwrap();
        let link = directory.path().join("by-id");
        std::os::unix::fs::symlink(&device, &link).unwrap();
        let other = Key::board(&directory.path().join("bench.toml"), "vb2").unwrap();

        let _first = Lease::acquire(&state, &[key, Key::device(&device)], &holder("runs/1")).unwrap();
        let refused =
            Lease::acquire(&state, &[other.clone(), Key::device(&link)], &holder("runs/2")).unwrap_err();
        assert!(refused.to_string().starts_with("device /"), "{refused}");
        Lease::acquire(&state, &[other], &holder("runs/2")).unwrap();
    }

    #[test]
    fn the_death_of_the_holder_frees_the_board_and_its_file_is_taken_over() {
        let Bench { state, key, directory: _directory } = bench();
        let path = {
            let lease = Lease::acquire(&state, std::slice::from_ref(&key), &holder("runs/1")).unwrap();
            lease.paths().next().unwrap().to_owned()
        };
        let mut dying = Command::new("flock")
            .args([
                "--no-fork".as_ref(),
                path.as_os_str(),
                "sh".as_ref(),
                "-c".as_ref(),
                "echo held; read x".as_ref(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        dying.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
        let error = Lease::acquire(&state, std::slice::from_ref(&key), &holder("runs/2")).unwrap_err();
        assert_eq!(error.to_string(), "board vb1 is in use");
        dying.kill().unwrap();
        dying.wait().unwrap();
        assert!(path.exists());
        Lease::acquire(&state, &[key], &holder("runs/2")).unwrap();
    }

    #[test]
    fn a_state_directory_open_to_others_is_refused() {
        let Bench { state, key, directory: _directory } = bench();
        std::fs::create_dir(&state).unwrap();
        std::fs::set_permissions(&state, PermissionsExt::from_mode(0o755)).unwrap();
        let error = Lease::acquire(&state, &[key], &holder("runs/1")).unwrap_err();
        assert!(error.to_string().ends_with("mode 0755)"), "{error}");
    }

    #[test]
    fn the_state_directory_follows_the_environment() {
        let set = |name: &str, value: &'static str| {
            let name = name.to_owned();
            state_directory(move |variable| (variable == name).then(|| value.into()))
        };
        assert_eq!(set("XDG_RUNTIME_DIR", "/run/user/1"), Path::new("/run/user/1/host-runner"));
        assert_eq!(set("XDG_STATE_HOME", "/home/u/.state"), Path::new("/home/u/.state/host-runner"));
        let fallback = format!("/tmp/host-runner-{}", rustix::process::getuid().as_raw());
        assert_eq!(set("XDG_STATE_HOME", "relative"), Path::new(&fallback));
    }
}
