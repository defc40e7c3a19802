//! What a job changed: the layer compared with the root filesystem below.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Layer;
use crate::rootfs::tree::Tree;
use crate::rootfs::{FsError, Ino, Kind, Lower, Timestamp};

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
    /// Every path that differs from the root filesystem below, in order. What is below a new or removed directory is
    /// told too.
    ///
    /// # Errors
    /// [`FsError::Io`] if data that must be compared cannot be read.
    pub fn differences(&self) -> Result<Vec<Difference>, FsError> {
        let tree = self.tree();
        let mut comparison = Comparison { tree: &tree, lower: &self.storage.lower, found: Vec::new() };
        comparison.directory(&mut Vec::new(), Some(Ino::ROOT), Some(Ino::ROOT))?;
        Ok(comparison.found)
    }
}

struct Comparison<'t> {
    tree: &'t Tree,
    lower: &'t Lower,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    /// Compares the names of a directory that is `before` in the lower layer and `now` in the tree.
    fn directory(
        &mut self,
        path: &mut Vec<u8>,
        before: Option<Ino>,
        now: Option<Ino>,
    ) -> Result<(), FsError> {
        let mut names: BTreeMap<Vec<u8>, (Option<Ino>, Option<Ino>)> = BTreeMap::new();
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
        for (name, (before, now)) in names {
            let length = path.len();
            path.push(b'/');
            path.extend_from_slice(&name);
            self.entry(path, before, now)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, path: &mut Vec<u8>, before: Option<Ino>, now: Option<Ino>) -> Result<(), FsError> {
        let same = AttributeChanges::default();
        let difference = match (before, now) {
            (None, _) => Some((DifferenceKind::Added, same)),
            (_, None) => Some((DifferenceKind::Removed, same)),
            (Some(before), Some(now)) => self.change(before, now)?,
        };
        if let Some((kind, attributes)) = difference {
            self.found.push(Difference { path: path.clone(), kind, attributes });
        }
        let is_directory = |kind: Option<Kind>| kind == Some(Kind::Directory);
        let before =
            before.filter(|before| is_directory(self.lower.get(*before).map(|inode| inode.meta.kind)));
        let now = now.filter(|now| is_directory(self.tree.meta(*now).ok().map(|meta| meta.kind)));
        if before.is_some() || now.is_some() {
            self.directory(path, before, now)?;
        }
        Ok(())
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

    fn same_data(&self, before: Ino, now: Ino, size: u64) -> Result<bool, FsError> {
        let Some(file) = self.tree.upper_file(now)? else { return Ok(before == now) };
        let (mut old, mut new) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        let mut offset = 0;
        while offset < size {
            let (count, _) = file.read(offset, &mut new)?;
            let (old, _) = old.split_at_mut(count);
            self.lower.read(before, offset, old)?;
            if new.get(..count) != Some(&*old) {
                return Ok(false);
            }
            offset += count as u64;
        }
        Ok(true)
    }
}
