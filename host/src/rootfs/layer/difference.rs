//! What a job changed: the layer compared with the root filesystem below.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use serde::Serialize;

use super::Layer;
use super::extents::{FileExtent, in_store, of_upper, united};
use crate::rootfs::tree::Tree;
use crate::rootfs::{FsError, Ino, Kind, Lower, Timestamp};

/// Bytes of a file that are compared at a time.
const CHUNK: usize = 64 << 10;

/// How a path differs from the root filesystem below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is of another kind.
    Replaced,
    /// Its data or its link target is another.
    Modified,
    /// Owner, mode or times are others.
    Attributes,
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Modified => "modified",
            Self::Attributes => "attributes",
        })
    }
}

/// One path that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path on the board, from `/`.
    pub path: Vec<u8>,
    /// How it differs.
    pub kind: DifferenceKind,
    /// Attributes that differ, if it is of the same kind as below.
    pub attributes: AttributeChanges,
}

/// What of an object's attributes differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeChanges {
    /// Permission bits.
    pub mode: Option<Change<u32>>,
    /// Owner.
    pub uid: Option<Change<u32>>,
    /// Group.
    pub gid: Option<Change<u32>>,
    /// Last change of the data, where the data is the same.
    pub mtime: Option<Change<Timestamp>>,
}

/// Something that was, and what it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// In the root filesystem below.
    pub before: T,
    /// In the layer.
    pub now: T,
}

impl<T: PartialEq> Change<T> {
    fn between(before: T, now: T) -> Option<Self> {
        (before != now).then_some(Self { before, now })
    }
}

impl Layer {
    /// Shows every path that differs from the root filesystem below to `show`, in order, until it breaks. What is below
    /// a new or removed directory is told too.
    ///
    /// # Errors
    /// [`FsError::Io`] if data that must be compared cannot be read.
    pub fn differences(&self, show: &mut dyn FnMut(&Difference) -> ControlFlow<()>) -> Result<(), FsError> {
        let tree = self.tree();
        Comparison { tree: &tree, lower: &self.storage.lower }.run(show)
    }
}

struct Comparison<'t> {
    tree: &'t Tree,
    lower: &'t Lower,
}

/// What a name leads to in the lower layer, and in the tree.
type Pair = (Option<Ino>, Option<Ino>);

impl Comparison<'_> {
    /// Compares everything. A board may nest directories as deep as it likes: neither the stack nor a path a level grows
    /// with them.
    fn run(&self, show: &mut dyn FnMut(&Difference) -> ControlFlow<()>) -> Result<(), FsError> {
        let mut path = Vec::new();
        // Directories on the way here: names that are still to be compared, and how long their paths are.
        let mut way = vec![(self.names((Some(Ino::ROOT), Some(Ino::ROOT)))?.into_iter(), 0)];
        while let Some((names, length)) = way.last_mut() {
            path.truncate(*length);
            let Some((name, pair)) = names.next() else {
                way.pop();
                continue;
            };
            path.push(b'/');
            path.extend_from_slice(&name);
            if let Some((kind, attributes)) = self.difference(pair)?
                && show(&Difference { path: path.clone(), kind, attributes }).is_break()
            {
                return Ok(());
            }
            let directories = self.directories(pair);
            if directories != (None, None) {
                way.push((self.names(directories)?.into_iter(), path.len()));
            }
        }
        Ok(())
    }

    /// The names of a directory, and what they lead to.
    fn names(&self, (before, now): Pair) -> Result<BTreeMap<Vec<u8>, Pair>, FsError> {
        let mut names: BTreeMap<Vec<u8>, Pair> = BTreeMap::new();
        if let Some(before) = before {
            for (_, name, ino) in self.lower.list(before, 0)? {
                names.entry(name.to_vec()).or_default().0 = Some(ino);
            }
        }
        if let Some(now) = now {
            for (_, name, ino) in self.tree.list(now, 0)? {
                names.entry(name.to_vec()).or_default().1 = Some(ino);
            }
        }
        Ok(names)
    }

    /// Those of the two that are directories.
    fn directories(&self, (before, now): Pair) -> Pair {
        let is_directory = |kind: Option<Kind>| kind == Some(Kind::Directory);
        (
            before.filter(|before| is_directory(self.lower.get(*before).map(|inode| inode.meta.kind))),
            now.filter(|now| is_directory(self.tree.meta(*now).ok().map(|meta| meta.kind))),
        )
    }

    fn difference(&self, pair: Pair) -> Result<Option<(DifferenceKind, AttributeChanges)>, FsError> {
        match pair {
            (None, _) => Ok(Some((DifferenceKind::Added, AttributeChanges::default()))),
            (_, None) => Ok(Some((DifferenceKind::Removed, AttributeChanges::default()))),
            (Some(before), Some(now)) => self.change(before, now),
        }
    }

    /// How the object `now` differs from `before`.
    fn change(&self, before: Ino, now: Ino) -> Result<Option<(DifferenceKind, AttributeChanges)>, FsError> {
        let old = self.lower.get(before).ok_or(FsError::Stale)?;
        let new = self.tree.attributes(now)?;
        if old.meta.kind != new.kind || old.meta.device != new.device {
            return Ok(Some((DifferenceKind::Replaced, AttributeChanges::default())));
        }
        let modified = match new.kind {
            Kind::Regular => old.size != new.size || !self.same_data(before, now, new.size)?,
            Kind::Symlink => self.lower.target(before)? != self.tree.target(now)?,
            _ => false,
        };
        // A directory's times move with its names, which are told by themselves.
        let moves = modified || new.kind == Kind::Directory;
        let changes = AttributeChanges {
            mode: Change::between(old.meta.mode, new.mode),
            uid: Change::between(old.meta.uid, new.uid),
            gid: Change::between(old.meta.gid, new.gid),
            mtime: Change::between(old.meta.mtime, new.mtime).filter(|_| !moves),
        };
        Ok(match (modified, changes == AttributeChanges::default()) {
            (true, _) => Some((DifferenceKind::Modified, changes)),
            (false, false) => Some((DifferenceKind::Attributes, changes)),
            (false, true) => None,
        })
    }

    /// Whether the data of two files of `size` bytes is the same. What both have as a hole is not looked at, nor what
    /// shows of the file below.
    fn same_data(&self, before: Ino, now: Ino, size: u64) -> Result<bool, FsError> {
        let Some(file) = self.tree.upper_file(now)? else { return Ok(before == now) };
        let below = self.lower.extents(before).into_iter();
        let extents = if before == now {
            let visible = file.visible().unwrap_or_default();
            let hidden = |(offset, length): FileExtent| {
                let start = offset.max(visible);
                (start, (offset + length).saturating_sub(start))
            };
            in_store(file).chain(below.map(hidden)).collect()
        } else {
            of_upper(self.lower, now, file).chain(below).collect()
        };
        let (mut old, mut new) = (vec![0; CHUNK], vec![0; CHUNK]);
        for (offset, length) in united(extents, size) {
            let mut done = 0;
            while done < length {
                let count = usize::try_from(length - done).map_or(CHUNK, |left| left.min(CHUNK));
                let ((old, _), (new, _)) = (old.split_at_mut(count), new.split_at_mut(count));
                file.read(offset + done, new)?;
                self.lower.read(before, offset + done, old)?;
                if old != new {
                    return Ok(false);
                }
                done += count as u64;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
