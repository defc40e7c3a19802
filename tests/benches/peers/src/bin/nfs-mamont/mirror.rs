//! The directory that is served: which inode has which path, open files, and attributes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use nfs_mamont::vfs::file::{Attr, Device, Handle, Time, Type, WccAttr};
use nfs_mamont::vfs::{DirOpArgs, Error, WccData};

/// Open files that are kept at most.
const OPEN_FILES: usize = 128;

/// A directory and all below it, by inode number.
pub(crate) struct Mirror {
    root: u64,
    paths: RwLock<HashMap<u64, PathBuf>>,
    files: Mutex<HashMap<u64, Arc<File>>>,
}

/// What NFS calls an error of the system.
pub(crate) fn error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NoEntry,
        io::ErrorKind::PermissionDenied => Error::Access,
        io::ErrorKind::AlreadyExists => Error::Exist,
        io::ErrorKind::NotADirectory => Error::NotDir,
        io::ErrorKind::IsADirectory => Error::IsDir,
        io::ErrorKind::InvalidInput => Error::InvalidArgument,
        io::ErrorKind::StorageFull => Error::NoSpace,
        io::ErrorKind::DirectoryNotEmpty => Error::NotEmpty,
        io::ErrorKind::StaleNetworkFileHandle => Error::StaleFile,
        io::ErrorKind::InvalidFilename => Error::NameTooLong,
        _ => Error::IO,
    }
}

/// The attributes of a file as NFS has them.
pub(crate) fn attributes(is: &Metadata) -> Attr {
    let kind = is.file_type();
    let file_type = match () {
        () if kind.is_dir() => Type::Directory,
        () if kind.is_symlink() => Type::Symlink,
        () if kind.is_fifo() => Type::Fifo,
        () if kind.is_socket() => Type::Socket,
        () if kind.is_block_device() => Type::BlockDevice,
        () if kind.is_char_device() => Type::CharacterDevice,
        () => Type::Regular,
    };
    Attr {
        file_type,
        mode: is.mode() & 0o7777,
        nlink: is.nlink() as u32,
        uid: is.uid(),
        gid: is.gid(),
        size: is.size(),
        used: is.blocks() * 512,
        device: Device { major: 0, minor: 0 },
        fs_id: is.dev(),
        file_id: is.ino(),
        atime: time(is.atime(), is.atime_nsec()),
        mtime: time(is.mtime(), is.mtime_nsec()),
        ctime: time(is.ctime(), is.ctime_nsec()),
    }
}

fn time(seconds: i64, nanos: i64) -> Time {
    Time { seconds: seconds as u32, nanos: nanos as u32 }
}

/// The attributes of an object before a change and after it, as far as they are known.
pub(crate) fn change(before: Option<&Attr>, after: Option<Attr>) -> WccData {
    let before = before.map(|is| WccAttr { size: is.size, mtime: is.mtime, ctime: is.ctime });
    WccData { before, after }
}

/// The handle of an inode.
pub(crate) fn handle(inode: u64) -> Handle {
    Handle::new(0, inode.to_be_bytes())
}

/// The inode of a handle.
pub(crate) fn inode(handle: &Handle) -> u64 {
    u64::from_be_bytes(handle.payload())
}

impl Mirror {
    /// Serves `directory`.
    pub(crate) fn new(directory: PathBuf) -> io::Result<Self> {
        let root = fs::symlink_metadata(&directory)?.ino();
        let paths = RwLock::new(HashMap::from([(root, directory)]));
        Ok(Self { root, paths, files: Mutex::default() })
    }

    /// The handle of the directory itself.
    pub(crate) fn root(&self) -> Handle {
        handle(self.root)
    }

    /// Where the object of a handle is.
    pub(crate) fn path(&self, handle: &Handle) -> io::Result<PathBuf> {
        let paths = self.paths.read().unwrap_or_else(PoisonError::into_inner);
        paths.get(&inode(handle)).cloned().ok_or_else(|| io::ErrorKind::StaleNetworkFileHandle.into())
    }

    /// The path that an operation on a directory names.
    pub(crate) fn child(&self, what: &DirOpArgs) -> io::Result<PathBuf> {
        match what.name.as_str() {
            "." | ".." => Err(io::ErrorKind::InvalidInput.into()),
            name => Ok(self.path(&what.dir)?.join(name)),
        }
    }

    /// Learns where an inode is.
    pub(crate) fn learn(&self, inode: u64, path: PathBuf) {
        self.paths.write().unwrap_or_else(PoisonError::into_inner).insert(inode, path);
    }

    /// Learns what is at `path`, and returns its handle and attributes.
    pub(crate) fn meet(&self, path: PathBuf) -> io::Result<(Handle, Attr)> {
        let is = attributes(&fs::symlink_metadata(&path)?);
        self.learn(is.file_id, path);
        Ok((handle(is.file_id), is))
    }

    /// Forgets what was at `path` when its last name is gone.
    pub(crate) fn forget(&self, was: &Attr, path: &Path) {
        self.open_files().remove(&was.file_id);
        let mut paths = self.paths.write().unwrap_or_else(PoisonError::into_inner);
        if paths.get(&was.file_id).is_some_and(|known| known == path) {
            paths.remove(&was.file_id);
        }
    }

    /// Learns that all at and below `from` is at `to`.
    pub(crate) fn moved(&self, from: &Path, to: &Path) {
        let mut paths = self.paths.write().unwrap_or_else(PoisonError::into_inner);
        for path in paths.values_mut() {
            if let Ok(rest) = path.strip_prefix(from) {
                let rest: OsString = rest.into();
                *path = if rest.is_empty() { to.to_owned() } else { to.join(rest) };
            }
        }
    }

    /// The attributes of an object.
    pub(crate) fn stat(&self, handle: &Handle) -> io::Result<Attr> {
        Ok(attributes(&fs::symlink_metadata(self.path(handle)?)?))
    }

    fn open_files(&self) -> MutexGuard<'_, HashMap<u64, Arc<File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The regular file of a handle, open; it stays so for later calls.
    pub(crate) fn open(&self, handle: &Handle) -> io::Result<Arc<File>> {
        if let Some(file) = self.open_files().get(&inode(handle)) {
            return Ok(Arc::clone(file));
        }
        let path = self.path(handle)?;
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = Arc::new(file.or_else(|_| File::open(&path))?);
        let mut files = self.open_files();
        if files.len() >= OPEN_FILES {
            files.clear();
        }
        files.insert(inode(handle), Arc::clone(&file));
        Ok(file)
    }
}
