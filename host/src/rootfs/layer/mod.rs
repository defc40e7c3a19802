//! A copy-on-write layer over a root filesystem: the operations of POSIX, by inode number and caller.
//!
//! Metadata is behind one lock and in memory; file data is read and written outside of it, under a lock per file.

mod check;
mod compact;
mod create;
mod data;
mod difference;
mod extents;
mod inspect;
mod mutation;
mod open;
mod recover;
mod remove;
mod rename;
mod set_attributes;

pub use check::Repair;
pub(crate) use create::MAX_LINKS;
pub use create::{CreateMode, Created, NewNode};
pub use data::{ReadOutcome, Reading};
pub use difference::{AttributeChanges, Change, Difference, DifferenceKind};
pub(super) use extents::FileExtent;
pub use inspect::{DirectoryEntry, ListEnd, Permissions};
pub(super) use open::lock;
pub use open::{Layer, LayerOptions, Usage, WccPair};
pub use rename::Renamed;

#[cfg(test)]
mod tests;
