//! A directory: a mounted SD card, an unpacked root filesystem.
//!
//! All is done relative to open directories, and the kernel refuses a path with a symbolic link in it (openat2(2)): whatever
//! a link in the tree says, nothing outside of it is read or written.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use super::error::InstallError;
use super::layout::{BESIDE, split};
use super::tree::{Change, Found, Tree};

/// A directory as a root filesystem.
pub(super) struct Directory {
    path: PathBuf,
    root: OwnedFd,
}

impl Directory {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(path: &Path) -> Result<Self, InstallError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, path, flags, Mode::empty());
        Ok(Self {
            path: path.to_owned(),
            root: root.map_err(|error| InstallError::io("open", path)(error.into()))?,
        })
    }

    fn at(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = if path.is_empty() { "." } else { path };
        rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// The directory that holds `path`, and the name in it.
    fn parent<'p>(&self, path: &'p str) -> rustix::io::Result<(OwnedFd, &'p str)> {
        let (parent, name) = split(path);
        Ok((self.at(parent, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    fn failed(&self, doing: &'static str, path: &str) -> impl Fn(Errno) -> InstallError {
        let path = self.path.join(path);
        move |error| InstallError::io(doing, &path)(error.into())
    }

    /// Makes what is new beside what is there. `made` gets all that has been made, also when this fails.
    fn prepare(&self, change: &Change, made: &mut Vec<Made>) -> Result<(), InstallError> {
        let path = change.path();
        let failed = self.failed("write", path);
        let (parent, name) = self.parent(path).map_err(&failed)?;
        let beside = format!("{BESIDE}{name}");
        match change {
            Change::MakeDirectory(_) => {
                // The usual umask leaves nothing to do, should this process be killed now.
                rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)).map_err(&failed)?;
                made.push(Made::Directory(path.to_owned()));
                let directory = self.at(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(&failed)?;
                give_away(&directory, 0o755).map_err(&failed)
            }
            Change::Write { mode, content, .. } => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                remove_if_there(&parent, &beside).map_err(&failed)?;
                let file = rustix::fs::openat(&parent, &*beside, flags, Mode::RUSR | Mode::WUSR);
                let mut file = File::from(file.map_err(&failed)?);
                made.push(Made::Beside(path.to_owned()));
                let written = file.write_all(content).and_then(|()| file.sync_all());
                written.map_err(InstallError::io("write", &self.path.join(path)))?;
                give_away(&file.into(), *mode).map_err(&failed)
            }
            Change::Link { target, .. } => {
                remove_if_there(&parent, &beside).map_err(&failed)?;
                rustix::fs::symlinkat(&**target, &parent, &*beside).map_err(&failed)?;
                made.push(Made::Beside(path.to_owned()));
                if rustix::process::geteuid().is_root() {
                    let (uid, gid) = (Some(Uid::ROOT), Some(Gid::ROOT));
                    rustix::fs::chownat(&parent, &*beside, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
                        .map_err(&failed)?;
                }
                Ok(())
            }
            // Before another file gets the name.
            Change::RemoveFile(_) if name.starts_with(BESIDE) => {
                remove_if_there(&parent, name).map_err(failed)
            }
            Change::RemoveFile(_) | Change::RemoveDirectory(_) => Ok(()),
        }
    }

    /// Puts what was prepared in its place, and removes what is to go.
    fn commit(&self, change: &Change) -> Result<(), InstallError> {
        let failed = self.failed("write", change.path());
        let (parent, name) = self.parent(change.path()).map_err(&failed)?;
        match change {
            Change::MakeDirectory(_) => Ok(()),
            Change::Write { .. } | Change::Link { .. } => {
                rustix::fs::renameat(&parent, format!("{BESIDE}{name}"), &parent, name)
            }
            Change::RemoveFile(_) if name.starts_with(BESIDE) => Ok(()),
            Change::RemoveFile(_) => rustix::fs::unlinkat(&parent, name, AtFlags::empty()),
            Change::RemoveDirectory(_) => rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR),
        }
        .map_err(failed)
    }

    fn undo(&self, made: &[Made]) {
        for made in made.iter().rev() {
            // The first error is told; what cannot be removed either stays beside.
            let _ = match made {
                Made::Directory(path) => self
                    .parent(path)
                    .and_then(|(parent, name)| rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)),
                Made::Beside(path) => self
                    .parent(path)
                    .and_then(|(parent, name)| remove_if_there(&parent, &format!("{BESIDE}{name}"))),
            };
        }
    }
}

/// What was made and is not in its place yet.
enum Made {
    Directory(String),
    Beside(String),
}

fn remove_if_there(parent: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Makes a file root's if this process may, and sets its permissions whatever the umask is.
fn give_away(file: &OwnedFd, mode: u32) -> rustix::io::Result<()> {
    if rustix::process::geteuid().is_root() {
        rustix::fs::fchown(file, Some(Uid::ROOT), Some(Gid::ROOT))?;
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))
}

impl Tree for Directory {
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        let failed = self.failed("read", path);
        let file = match self.at(path, OFlags::PATH | OFlags::NOFOLLOW) {
            // What lies behind a link is not there: paths of a tree lead through none.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            other => other.map_err(&failed)?,
        };
        let status = rustix::fs::fstat(&file).map_err(&failed)?;
        Ok(Some(match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => Found::Directory,
            FileType::RegularFile => {
                Found::File { size: status.st_size.unsigned_abs(), mode: status.st_mode & 0o7777 }
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&file, "", Vec::new()).map_err(&failed)?;
                target.into_string().map_or(Found::Other, Found::Link)
            }
            _ => Found::Other,
        }))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError> {
        let failed = self.failed("read", path);
        let directory = self.at(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(&failed)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(directory).map_err(&failed)? {
            let name = entry.map_err(&failed)?.file_name().to_owned().into_string();
            match name.map_err(|_| failed(Errno::ILSEQ))?.as_str() {
                "." | ".." => {}
                name => names.push(name.to_owned()),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        let file = self.at(path, OFlags::RDONLY | OFlags::NONBLOCK).map_err(self.failed("read", path))?;
        let mut content = Vec::new();
        File::from(file)
            .take(limit as u64)
            .read_to_end(&mut content)
            .map_err(InstallError::io("read", &self.path.join(path)))?;
        Ok(content)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        let mut made = Vec::new();
        for change in changes {
            if let Err(error) = self.prepare(change, &mut made) {
                self.undo(&made);
                return Err(error);
            }
        }
        if let Err(error) = changes.iter().try_for_each(|change| self.commit(change)) {
            self.undo(&made);
            return Err(error);
        }
        // A card is pulled out as soon as the prompt is back.
        let root = self.at("", OFlags::RDONLY | OFlags::DIRECTORY);
        let synced = root.and_then(|root| rustix::fs::syncfs(&root)).map_err(io::Error::from);
        synced.map_err(InstallError::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests;
