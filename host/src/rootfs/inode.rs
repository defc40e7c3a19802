//! Changed and new inodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Ino;
use super::directory::Directory;
use super::meta::Meta;
use super::storage::Storage;
use super::upper_file::UpperFile;

/// Memory of an inode, in bytes; a symbolic link has its target besides. `cargo bench --bench rootfs` measures it.
pub(super) const INODE_MEMORY: u64 = 280;

/// Where the content of a changed inode is.
#[derive(Debug)]
pub(super) enum Content {
    /// Still in the lower layer.
    Lower,
    File(Arc<UpperFile>),
    Directory(Box<Directory>),
    Symlink(Box<[u8]>),
    /// Devices, fifos, sockets.
    None,
}

/// What a new inode begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum NewContent {
    /// A regular file without data.
    File,
    /// A directory without names, in this one.
    Directory(Ino),
    /// A symbolic link to this target.
    Symlink(Box<[u8]>),
    /// A device, fifo or socket.
    None,
}

impl NewContent {
    /// About the memory of an inode with it, in bytes.
    pub(super) const fn memory(&self) -> u64 {
        match self {
            Self::Symlink(target) => INODE_MEMORY + target.len() as u64,
            _ => INODE_MEMORY,
        }
    }

    pub(super) fn into_content(self, ino: Ino, storage: &Arc<Storage>) -> Content {
        match self {
            Self::File => Content::File(Arc::new(UpperFile::empty(ino, Arc::clone(storage)))),
            Self::Directory(parent) => Content::Directory(Box::new(Directory::new(parent))),
            Self::Symlink(target) => Content::Symlink(target),
            Self::None => Content::None,
        }
    }
}

/// A changed or new inode.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) meta: Meta,
    pub(super) content: Content,
    /// Verifier of the exclusive CREATE that made it (RFC 1813 §3.3.8).
    pub(super) verifier: Option<[u8; 8]>,
}

impl Inode {
    /// About the memory that it takes, in bytes.
    pub(super) fn memory(&self) -> u64 {
        INODE_MEMORY
            + match &self.content {
                Content::Directory(directory) => directory.memory(),
                Content::Symlink(target) => target.len() as u64,
                _ => 0,
            }
    }
}
