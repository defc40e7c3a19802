//! Writing into a layer by path: how the runner puts the agent, definitions and keys into a job's root filesystem.
//!
//! Paths are those of the board. Symbolic links on the way are followed inside the layer, absolute ones from its root,
//! and never on the bench PC. Everything is done as the superuser.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::path::{MAX_SYMLINKS, components};
use super::{Attributes, CreateMode, Credential, FsError, Ino, Kind, Layer, NewNode, SetAttributes};

/// Bytes that are copied at a time.
const CHUNK: usize = 256 << 10;

/// Why a path of the root filesystem could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path} in the root filesystem")]
pub struct OverlayError {
    /// What was to be done: `write`, `read`, …
    pub operation: &'static str,
    /// The path on the board.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: FsError,
}

/// Where a path leads.
struct Place {
    dir: Ino,
    /// Last component; `.` for the root.
    name: Vec<u8>,
    object: Option<Attributes>,
}

impl Layer {
    /// Makes the directory `path` and those above it; new ones get `mode`, existing ones stay as they are.
    ///
    /// # Errors
    /// [`OverlayError`], for example if a file is in the way.
    pub fn make_dirs(&self, path: impl AsRef<Path>, mode: u32) -> Result<(), OverlayError> {
        let path = path.as_ref();
        self.walk(Ino::ROOT, path.as_os_str().as_bytes(), Some(mode))
            .map(drop)
            .map_err(|source| failed("make directory", path, source))
    }

    /// Writes the file `path`: made, or cut and filled anew, with `mode`. A link at its end is followed.
    ///
    /// # Errors
    /// [`OverlayError`], for example if its directory is missing.
    pub fn write_file(&self, path: impl AsRef<Path>, mode: u32, bytes: &[u8]) -> Result<(), OverlayError> {
        let path = path.as_ref();
        self.put(path, mode, bytes, true).map_err(|source| failed("write", path, source))
    }

    /// Removes `path` with all that is below it; what is not there need not go. A link at its end goes itself.
    ///
    /// # Errors
    /// [`OverlayError`], for example if there is no space to log it.
    pub fn remove_tree(&self, path: impl AsRef<Path>) -> Result<(), OverlayError> {
        let path = path.as_ref();
        self.take_away(path.as_os_str().as_bytes()).map_err(|source| failed("remove", path, source))
    }

    /// Adds `bytes` at the end of the file `path`; if there is none, it is made with `mode`.
    ///
    /// # Errors
    /// [`OverlayError`], for example if its directory is missing.
    pub fn append_file(&self, path: impl AsRef<Path>, mode: u32, bytes: &[u8]) -> Result<(), OverlayError> {
        let path = path.as_ref();
        self.put(path, mode, bytes, false).map_err(|source| failed("append to", path, source))
    }

    /// Reads the file `path` of at most `max` bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`OverlayError`] with [`FsError::FileTooLarge`] if it is longer, or if it is no file.
    pub fn read_file(&self, path: impl AsRef<Path>, max: usize) -> Result<Option<Vec<u8>>, OverlayError> {
        let path = path.as_ref();
        self.get(path, max).map_err(|source| failed("read", path, source))
    }

    /// What `path` leads to; a symbolic link at its end is followed too.
    ///
    /// # Errors
    /// [`OverlayError`], also if there is nothing.
    pub fn find(&self, path: impl AsRef<Path>) -> Result<Attributes, OverlayError> {
        let path = path.as_ref();
        let place = self.place(path).map_err(|source| failed("find", path, source))?;
        place.object.ok_or_else(|| failed("find", path, FsError::NotFound))
    }

    /// Copies the data of the file at `path` to `out`.
    ///
    /// # Errors
    /// Those of `out`, and [`OverlayError`] as an [`io::Error`] if it cannot be read.
    pub fn copy_file(&self, path: impl AsRef<Path>, out: &mut dyn Write) -> io::Result<()> {
        let path = path.as_ref();
        let file = self.find(path).map_err(io::Error::other)?;
        let (mut buffer, mut offset) = (vec![0; CHUNK], 0);
        loop {
            let read = self.read(file.ino, offset, &mut buffer, &Credential::root());
            let read = read.map_err(|source| io::Error::other(failed("read", path, source)))?;
            out.write_all(buffer.get(..read.count).unwrap_or_default())?;
            offset += read.count as u64;
            if read.eof {
                return Ok(());
            }
        }
    }

    fn put(&self, path: &Path, mode: u32, bytes: &[u8], anew: bool) -> Result<(), FsError> {
        let root = Credential::root();
        let place = self.place(path)?;
        let attributes = SetAttributes { size: anew.then_some(0), ..SetAttributes::with_mode(mode) };
        let file = match place.object {
            Some(object) if object.kind == Kind::Directory => return Err(FsError::IsDirectory),
            Some(object) if object.kind != Kind::Regular => return Err(FsError::Invalid),
            Some(object) if anew => self.set_attributes(object.ino, &attributes, None, &root)?.after,
            Some(object) => object,
            None => self.create(place.dir, &place.name, CreateMode::Guarded(attributes), &root)?.object,
        };
        self.write(file.ino, file.size, bytes, &root).map(drop)
    }

    fn take_away(&self, path: &[u8]) -> Result<(), FsError> {
        let root = Credential::root();
        let (above, name) = split(path);
        let top = self.walk(Ino::ROOT, above, None)?;
        // Directories, each after the one that it is in.
        let mut left = vec![(top, name.to_vec())];
        let mut directories = Vec::new();
        while let Some((dir, name)) = left.pop() {
            let object = match self.lookup(dir, &name, &root) {
                Err(FsError::NotFound) => continue,
                object => object?,
            };
            if object.kind != Kind::Directory {
                self.remove(dir, &name, &root)?;
                continue;
            }
            directories.push((dir, name));
            self.read_directory(object.ino, 2, &root, &mut |entry| {
                left.push((object.ino, entry.name.to_vec()));
                ControlFlow::Continue(())
            })?;
        }
        for (dir, name) in directories.into_iter().rev() {
            self.remove_directory(dir, &name, &root)?;
        }
        Ok(())
    }

    fn get(&self, path: &Path, max: usize) -> Result<Option<Vec<u8>>, FsError> {
        let object = match self.place(path) {
            Ok(Place { object: Some(object), .. }) => object,
            Ok(_) | Err(FsError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let size =
            usize::try_from(object.size).ok().filter(|size| *size <= max).ok_or(FsError::FileTooLarge)?;
        let mut bytes = vec![0; size];
        let outcome = self.read(object.ino, 0, &mut bytes, &Credential::root())?;
        bytes.truncate(outcome.count);
        Ok(Some(bytes))
    }

    /// Follows `path` up to its last component, and through a link there.
    fn place(&self, path: &Path) -> Result<Place, FsError> {
        let root = Credential::root();
        let mut path = path.as_os_str().as_bytes().to_vec();
        let mut start = Ino::ROOT;
        for _ in 0..MAX_SYMLINKS {
            let (above, name) = split(&path);
            let dir = self.walk(start, above, None)?;
            let object = match self.lookup(dir, name, &root) {
                Ok(object) => Some(object),
                Err(FsError::NotFound) => None,
                Err(error) => return Err(error),
            };
            match object {
                Some(link) if link.kind == Kind::Symlink => {
                    path = self.read_link(link.ino)?.0;
                    start = if path.starts_with(b"/") { Ino::ROOT } else { dir };
                }
                object => return Ok(Place { dir, name: name.to_vec(), object }),
            }
        }
        Err(FsError::Loop)
    }

    /// The directory `path` leads to from `start`; with `make`, what is missing is made with that mode.
    pub(super) fn walk(&self, start: Ino, path: &[u8], make: Option<u32>) -> Result<Ino, FsError> {
        let root = Credential::root();
        let mut dir = if path.starts_with(b"/") { Ino::ROOT } else { start };
        let mut left: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
        let mut links = 0;
        while let Some(part) = left.pop() {
            let next = match (self.lookup(dir, &part, &root), make) {
                (Err(FsError::NotFound), Some(mode)) => {
                    let mode = SetAttributes::with_mode(mode);
                    self.make_node(dir, &part, NewNode::Directory, &mode, &root)?.object
                }
                (found, _) => found?,
            };
            match next.kind {
                Kind::Directory => dir = next.ino,
                Kind::Symlink => {
                    links += 1;
                    if links > MAX_SYMLINKS {
                        return Err(FsError::Loop);
                    }
                    let (target, _) = self.read_link(next.ino)?;
                    if target.starts_with(b"/") {
                        dir = Ino::ROOT;
                    }
                    left.extend(components(&target).rev().map(<[u8]>::to_vec));
                }
                _ => return Err(FsError::NotDirectory),
            }
        }
        Ok(dir)
    }
}

fn failed(operation: &'static str, path: &Path, source: FsError) -> OverlayError {
    OverlayError { operation, path: path.to_owned(), source }
}

/// The path above the last component, and the last component; `.` if there is none.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let (trimmed, _) = path.split_at(end);
    if trimmed.is_empty() {
        return (path, b".");
    }
    let start = trimmed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    trimmed.split_at(start)
}

#[cfg(test)]
mod tests;
