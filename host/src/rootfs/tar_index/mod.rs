//! From the members of a tar to the table of a [`Lower`](super::Lower).
//!
//! `header` and `pax` know the formats, `reader` goes from member to member, `sparse_map` reads the maps of sparse files,
//! `members` makes plain members of it all, `builder` puts them into a tree under the rules of extraction, and `flatten`
//! turns the tree into the compact table. `spans` tells where members lie, for copies of an archive.

mod builder;
mod flatten;
mod header;
mod members;
mod pax;
mod reader;
mod spans;
mod sparse_map;

pub(crate) use header::begins_tar;
pub(super) use members::{MAX_MEMBERS, index};
pub(crate) use spans::{Span, spans};

#[cfg(test)]
mod tests;
