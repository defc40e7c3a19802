//! What the log holds: changes of the tree and of files, in the order in which they happened.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::rootfs::block_store::Run;
use crate::rootfs::inode::NewContent;
use crate::rootfs::lower::LowerIdentity;
use crate::rootfs::meta::Meta;
use crate::rootfs::{CallId, Ino};

/// Version of the log's format; a log of another one is refused.
pub(super) const FORMAT: u32 = 2;

/// The first record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::rootfs) struct LogHeader {
    pub(super) format: u32,
    /// Number of the layer: part of its file handles.
    pub(in crate::rootfs) layer: u64,
    /// The root filesystem below.
    pub(in crate::rootfs) lower: LowerIdentity,
}

/// One change. Those of one operation are written together, and count together or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::rootfs) enum Change<'a> {
    /// A new inode; its [`Change::Meta`] follows.
    New { ino: Ino, content: NewContent },
    /// A file of the lower layer whose data is about to change.
    CopyUp { ino: Ino },
    /// Everything about an inode but its content.
    Meta { ino: Ino, meta: Meta, verifier: Option<[u8; 8]> },
    /// An inode that is gone for good.
    Forget { ino: Ino },
    /// A name in a directory.
    Insert {
        dir: Ino,
        cookie: u32,
        #[serde(borrow)]
        name: Cow<'a, [u8]>,
        ino: Ino,
    },
    /// A name that is gone.
    Remove {
        dir: Ino,
        #[serde(borrow)]
        name: Cow<'a, [u8]>,
    },
    /// Where `..` of a directory leads to.
    Parent { dir: Ino, parent: Ino },
    /// A directory as it is, before its names follow.
    Listing { dir: Ino, parent: Ino, next_cookie: u32 },
    /// Blocks of the store that hold these blocks of a file, and its size in bytes.
    Extents { ino: Ino, size: u64, runs: Vec<(u64, Run)> },
    /// A file cut or grown to a size in bytes.
    Truncate { ino: Ino, size: u64 },
    /// How much of the lower layer's file still shows, in bytes.
    Visible { ino: Ino, bytes: u64 },
    /// The next inode number to be given.
    Next { ino: u32 },
    /// The call that the changes before it in its frame carry out, all of them.
    Call { id: CallId },
}
