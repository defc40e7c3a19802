//! What is where once an archive is unpacked: paths without symbolic links, and what each of them is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::cpio::MAX_NAME;
use super::error::RamdiskError;
use crate::rootfs::{MAX_SYMLINKS, components};

/// Steps on the ways to all members of an archive, or to one file: bounds the time.
pub(super) const MAX_STEPS: u64 = 50_000_000;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A directory that no member makes: another one is in it.
    Implied,
    /// A member of the archive as it was read, by its number.
    Old(usize),
    /// What was put into the RAM disk, by its number.
    New(usize),
}

/// What a node is to a path that leads through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'t> {
    Directory,
    /// A symbolic link and its target.
    Link(&'t [u8]),
    Other,
}

/// A path in the tree: no slash at either end, none of its directories is a link. The root is the empty one.
pub(super) type Canonical = Vec<u8>;

/// What all paths may weigh: in bytes, with [`NODE`] for each.
const MAX_WEIGHT: usize = 256 << 20;
/// What a node weighs besides its path, in bytes.
const NODE: usize = 64;

/// Nodes by their paths. The root has none.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<Canonical, Node>,
    weight: usize,
}

impl Tree {
    /// What is at `path`.
    pub(super) fn get(&self, path: &[u8]) -> Option<Node> {
        self.nodes.get(path).copied()
    }

    /// Puts `node` at `path`; directories above it that are not there are implied. What was there before.
    pub(super) fn insert(&mut self, path: &[u8], node: Node) -> Option<Node> {
        for above in ancestors(path) {
            if !self.nodes.contains_key(above) {
                self.add_weight(above);
                self.nodes.insert(above.to_vec(), Node::Implied);
            }
        }
        self.add_weight(path);
        self.nodes.insert(path.to_vec(), node)
    }

    /// Takes account of another copy of `path`.
    pub(super) fn add_weight(&mut self, path: &[u8]) {
        self.weight = self.weight.saturating_add(path.len() + NODE);
    }

    /// Bounds the memory for paths: a short member may imply many directories, all of which have long paths.
    ///
    /// # Errors
    /// [`RamdiskError::TooComplex`]
    pub(super) const fn check_weight(&self) -> Result<(), RamdiskError> {
        if self.weight <= MAX_WEIGHT { Ok(()) } else { Err(RamdiskError::TooComplex) }
    }

    /// Takes away what is at `path`.
    pub(super) fn remove(&mut self, path: &[u8]) -> Option<Node> {
        self.nodes.remove(path)
    }

    /// All paths, a directory's before those in it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Node)> {
        self.nodes.iter().map(|(path, node)| (&**path, *node))
    }

    /// The paths below the directory at `path`, a directory's before those in it.
    pub(super) fn below<'t>(&'t self, path: &[u8]) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let mut first = path.to_vec();
        if !path.is_empty() {
            first.push(b'/');
        }
        let prefix = first.clone();
        let range = self.nodes.range::<[u8], _>((Bound::Excluded(&*first), Bound::Unbounded));
        range.map(|(path, _)| &**path).take_while(move |path| path.starts_with(&prefix))
    }

    /// Whether nothing is in the directory at `path`.
    pub(super) fn is_empty(&self, path: &[u8]) -> bool {
        self.below(path).next().is_none()
    }

    /// Where `path` leads to, as a process finds it whose root the tree is: nothing leads out. A link at its end is followed if
    /// `follow_last` says so. What is not there needs no links to be found. `step` tells what a node is. Each step is taken from
    /// `fuel`.
    ///
    /// # Errors
    /// [`RamdiskError::Links`]; [`RamdiskError::NotDirectory`] if the way leads through a file; [`RamdiskError::BadPath`] if it
    /// becomes too long; [`RamdiskError::TooComplex`] if there is no fuel left.
    pub(super) fn resolve<'t>(
        &self,
        path: &'t [u8],
        follow_last: bool,
        fuel: &mut u64,
        step: impl Fn(Node) -> Step<'t>,
    ) -> Result<Canonical, RamdiskError> {
        let mut left: VecDeque<&[u8]> = components(path).collect();
        let (mut at, mut links) = (Canonical::new(), 0);
        while let Some(name) = left.pop_front() {
            *fuel = fuel.checked_sub(1).ok_or(RamdiskError::TooComplex)?;
            if name == b".." {
                at.truncate(split(&at).0.len());
                continue;
            }
            let next = join(&at, name);
            if next.len() > MAX_NAME {
                return Err(RamdiskError::BadPath { path: shown(path) });
            }
            match self.get(&next).map_or(Step::Directory, &step) {
                Step::Link(target) if follow_last || !left.is_empty() => {
                    links += 1;
                    if links > MAX_SYMLINKS {
                        return Err(RamdiskError::Links { path: shown(path) });
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    components(target).rev().for_each(|part| left.push_front(part));
                }
                Step::Other if !left.is_empty() => {
                    return Err(RamdiskError::NotDirectory { path: shown(&next) });
                }
                _ => at = next,
            }
        }
        Ok(at)
    }
}

/// The directories above `path`, the root's children first.
pub(super) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| path.get(..at))
}

/// Joins two parts of a path, of which the first may be the root.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Canonical {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Splits a path into the directory and the name in it.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.map_or((b"", path), |at| {
        (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default())
    })
}

/// A path for an error; what is not UTF-8 is replaced.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
