//! Root filesystems that outlive jobs, by name: each is a kept one, made by the first job and opened by all that follow.

use std::fs::{self, DirEntry};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Credential, Ino, KeptError, Layer, Lower, Origin, OverlayError, Repair, layer_directory};

/// File that lists the keys which may log in as root.
pub(crate) const AUTHORIZED_KEYS: &str = "/root/.ssh/authorized_keys";
/// Largest such file that is looked through, in bytes.
const MAX_AUTHORIZED_KEYS: usize = 1 << 20;

/// What lies on the disk under one name.
#[derive(Clone, Debug)]
pub struct Persistent {
    /// The name.
    pub name: String,
    /// Where it comes from, and what the last job did with it.
    pub origin: Origin,
    /// Disk space of what the jobs have changed, in bytes.
    pub changed_bytes: u64,
    /// When a job began with it or changed it last.
    pub used: SystemTime,
}

/// The persistent root filesystems in `directory`, by name. What cannot be read is none.
///
/// # Errors
/// Those of the directory; one that does not exist holds none.
pub fn list_persistent(directory: &Path) -> io::Result<Vec<Persistent>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        // One that is damaged, or that goes meanwhile, must not hide the others.
        found.extend(Persistent::read(&entry?).ok());
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

impl Persistent {
    fn read(entry: &DirEntry) -> Result<Self, KeptError> {
        let path = entry.path();
        let origin = Origin::read(&path)?;
        let failed = |source| KeptError::Origin { path: path.clone(), source };
        let layer = fs::read_dir(layer_directory(&path)).map_err(failed)?;
        let files = layer.chain(fs::read_dir(&path).map_err(failed)?);
        // A file that goes meanwhile is one that a log which is written anew, or a new description, has replaced.
        let files: Vec<_> = files.filter_map(|file| file.ok()?.metadata().ok()).collect();
        let files = files.iter().filter(|file| file.is_file());
        Ok(Self {
            name: entry.file_name().to_string_lossy().into_owned(),
            origin,
            // In units of 512 bytes whatever the file system (stat(2)).
            changed_bytes: files.clone().map(|file| file.blocks() * 512).sum(),
            used: files.filter_map(|file| file.modified().ok()).max().unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }
}

impl Origin {
    /// Opens the persistent root filesystem in `directory` for the job that this describes; the first job makes it. What
    /// the runner had put there for the job before is removed.
    ///
    /// # Errors
    /// [`KeptError::OtherTar`] if it was made on another tar; else as for one that is kept.
    pub fn open_persistent(
        &self,
        lower: Arc<Lower>,
        directory: &Path,
    ) -> Result<(Layer, Vec<Repair>), KeptError> {
        let before = match Self::read(directory) {
            Err(KeptError::Absent { .. }) => {
                make_empty(directory)
                    .map_err(|source| KeptError::Origin { path: directory.to_owned(), source })?;
                return Ok((self.make(lower, directory)?, Vec::new()));
            }
            before => before?,
        };
        if before.sha256 != self.sha256 {
            let Self { url, sha256, .. } = before;
            return Err(KeptError::OtherTar { path: directory.to_owned(), url, sha256 });
        }
        let (layer, repairs) = Layer::open(lower, layer_directory(directory), self.options)?;
        layer.keep();
        layer.forget_calls();
        layer.remove_overlays(&before.id_prefix)?;
        self.write(directory)?;
        Ok((layer, repairs))
    }
}

/// An empty directory; what is there without a description was left by a run that was killed while it began.
fn make_empty(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(directory)
}

impl Layer {
    /// Removes what the runner has put into the layer for a run whose nodes' ids begin with `id_prefix`: directories
    /// `/lava-<id>`, and keys for SSH.
    fn remove_overlays(&self, id_prefix: &str) -> Result<(), OverlayError> {
        let is_of_run = |id: &[u8]| {
            let number = id.strip_prefix(id_prefix.as_bytes()).unwrap_or_default();
            !number.is_empty() && number.iter().all(u8::is_ascii_digit)
        };
        let mut names = Vec::new();
        let show = &mut |entry: super::DirectoryEntry<'_>| {
            if entry.name.strip_prefix(b"lava-").is_some_and(is_of_run) {
                names.push(String::from_utf8_lossy(entry.name).into_owned());
            }
            ControlFlow::Continue(())
        };
        self.read_directory(Ino::ROOT, 2, &Credential::root(), show).map_err(|source| OverlayError {
            operation: "list",
            path: "/".into(),
            source,
        })?;
        for name in names {
            self.remove_tree(&name)?;
        }
        let Some(keys) = self.read_file(AUTHORIZED_KEYS, MAX_AUTHORIZED_KEYS)? else { return Ok(()) };
        let left: Vec<&[u8]> = keys
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !key_owner(line).is_some_and(is_of_run))
            .collect();
        let left = left.concat();
        if left != keys {
            self.write_file(AUTHORIZED_KEYS, 0o600, &left)?;
        }
        Ok(())
    }
}

/// The node for which the runner wrote a line of `authorized_keys`, by its comment.
fn key_owner(line: &[u8]) -> Option<&[u8]> {
    let mut words = line.trim_ascii().rsplitn(3, |byte| *byte == b' ');
    let (id, program) = (words.next()?, words.next()?);
    (program == b"host-runner").then_some(id)
}

#[cfg(test)]
mod tests;
