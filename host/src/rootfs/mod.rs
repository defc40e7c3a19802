//! A root filesystem as data: an index over a tar, and a copy-on-write layer per job.
//!
//! ```text
//! rootfs.tar ─▶ tar_index ─▶ Lower (immutable, shared by jobs; data read in place)
//!                              ▲
//!   NFS procedures ─┐          │ what is unchanged
//!   overlay (paths) ┴─▶ Layer ─┴─▶ Tree (changed metadata, in memory) ─▶ UpperFile ─▶ BlockStore (one sparse file)
//! ```
//!
//! Owners, modes, device nodes and hard links live in the index and the tree: nothing is unpacked per job, and
//! nothing here needs root. The NFS server and the runner's own overlays use the same operations.

mod archive_extent;
mod attributes;
mod block_store;
mod calls;
mod credential;
mod directory;
mod error;
mod export;
mod inode;
mod journal;
mod kept;
mod layer;
mod lower;
mod meta;
mod overlay;
mod page_cache;
mod path;
mod permission;
mod persistent;
pub mod source;
mod sparse;
mod storage;
mod syncs;
mod tar_index;
mod tar_writer;
mod tree;
mod unpack;
mod upper_file;

pub use archive_extent::ArchiveExtent;
pub use attributes::{Attributes, Ino, Kind, SetAttributes, SetTime, Timestamp};
pub use credential::{CallId, Credential};
pub use error::{FsError, MemberProblem, RootfsError};
pub use journal::{Durability, JournalError};
pub use kept::{KeptError, Origin, layer_directory, remove_kept};
pub(crate) use layer::MAX_LINKS;
pub use layer::{
    AttributeChanges, Change, CreateMode, Created, Difference, DifferenceKind, DirectoryEntry, Layer,
    LayerOptions, ListEnd, NewNode, Permissions, ReadOutcome, Reading, Renamed, Repair, Usage, WccPair,
};
pub use lower::Lower;
pub use overlay::OverlayError;
pub(crate) use path::{MAX_SYMLINKS, components};
pub(crate) use persistent::AUTHORIZED_KEYS;
pub use persistent::{Persistent, list_persistent};
pub(crate) use tar_index::{Span, begins_tar, spans};
pub(crate) use tree::MAX_NAME;

#[cfg(test)]
pub(crate) mod testing;
