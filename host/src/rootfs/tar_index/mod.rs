//! From the members of a tar to the table of a [`Lower`](super::Lower).
//!
//! `members` reads headers into plain members, `builder` puts them into a tree under the rules of extraction, and
//! `flatten` turns the tree into the compact table.

mod builder;
mod flatten;
mod members;

pub(super) use members::index;

#[cfg(test)]
mod tests;
