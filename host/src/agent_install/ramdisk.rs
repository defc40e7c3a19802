//! A RAM disk as a root filesystem.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::InstallError;
use super::replace::replace;
use super::tree::{Change, Found, Tree};
use crate::ramdisk::{Meta, Ramdisk, RamdiskError};
use crate::rootfs::Kind;

/// Permission bits of directories that are made.
const DIRECTORY_MODE: u32 = 0o755;

/// A RAM disk, and the file that it is in.
pub(super) struct RamdiskTree {
    path: PathBuf,
    ramdisk: Ramdisk,
}

impl RamdiskTree {
    /// Opens the RAM disk at `path`.
    ///
    /// # Errors
    /// Those of the file; [`InstallError::Ramdisk`] if it is none or damaged.
    pub(super) fn open(path: &Path) -> Result<Self, InstallError> {
        Ok(Self { path: path.to_owned(), ramdisk: Ramdisk::open(path)? })
    }
}

impl Tree for RamdiskTree {
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        let Some(found) = self.ramdisk.look(path) else { return Ok(None) };
        Ok(Some(match found.kind {
            Kind::Directory => Found::Directory,
            Kind::Regular => Found::File { size: found.size, mode: found.mode },
            Kind::Symlink => {
                let target = self.ramdisk.read(path, found.size)?;
                String::from_utf8(target).map_or(Found::Other, Found::Link)
            }
            _ => Found::Other,
        }))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError> {
        Ok(self.ramdisk.list(path))
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        Ok(self.ramdisk.read(path, limit as u64)?)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mtime = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        for change in changes {
            make(&mut self.ramdisk, change, mtime)?;
        }
        replace(&self.path, |out| {
            self.ramdisk.write_to(out).map_err(|error| match error {
                RamdiskError::Pack(source) => InstallError::io("write", &self.path)(source),
                error => error.into(),
            })
        })
    }
}

fn make(ramdisk: &mut Ramdisk, change: &Change, mtime: u32) -> Result<(), RamdiskError> {
    match change {
        Change::MakeDirectory(path) => ramdisk.make_directory(path, Meta::of_root(DIRECTORY_MODE, mtime)),
        Change::Write { path, mode, content } => {
            ramdisk.put_file(path, Meta::of_root(*mode, mtime), content.clone())
        }
        Change::Link { path, target } => ramdisk.put_link(path, target, mtime),
        Change::RemoveFile(path) | Change::RemoveDirectory(path) => ramdisk.remove(path),
    }
}
