//! Changing owner, mode, size and times.

use super::{Layer, WccPair};
use crate::rootfs::meta::Meta;
use crate::rootfs::tree::Tree;
use crate::rootfs::{Attributes, Credential, FsError, Ino, Kind, SetAttributes, SetTime, Timestamp};

impl Layer {
    /// Sets attributes of `ino`, all or none.
    ///
    /// With `guard`, only if the object's ctime still is that.
    ///
    /// # Errors
    /// [`FsError::NotSync`] if the guard does not match; [`FsError::NotPermitted`] or [`FsError::AccessDenied`] as
    /// POSIX has it for chmod, chown, utimes and truncate; [`FsError::IsDirectory`], [`FsError::Invalid`],
    /// [`FsError::FileTooLarge`], [`FsError::Io`], [`FsError::Stale`].
    pub fn set_attributes(
        &self,
        ino: Ino,
        change: &SetAttributes,
        guard: Option<Timestamp>,
        who: &Credential,
    ) -> Result<WccPair, FsError> {
        let admit = |tree: &Tree| {
            let before = tree.attributes(ino)?;
            if guard.is_some_and(|guard| guard != before.ctime) {
                return Err(FsError::NotSync);
            }
            check(&tree.meta(ino)?, change, who)?;
            Ok(before)
        };
        let mutation = self.mutation()?;
        // A cut waits for the disk, and nobody shall wait for that. What is done to the file meanwhile comes after the cut.
        let cut = match change.size {
            Some(size) => {
                let before = admit(&self.tree())?;
                if size != before.size {
                    mutation.copied_up(ino)?.truncate(size)?;
                }
                Some(before.size)
            }
            None => None,
        };
        let mut tree = mutation.tree();
        // Taken with the change: a client must see what another has done in between (RFC 1813 §2.6).
        let before = match cut {
            Some(size) => Attributes { size, ..tree.attributes(ino)? },
            None => admit(&tree)?,
        };
        apply(&mut tree, ino, change, who)?;
        let after = tree.attributes(ino)?;
        tree.commit(who.call)?;
        Ok(WccPair { before, after })
    }
}

/// Whether `who` may make `change` to an object.
fn check(meta: &Meta, change: &SetAttributes, who: &Credential) -> Result<(), FsError> {
    let owner = meta.owned_by(who);
    let writable = owner || meta.permitted(who) & 2 != 0;
    let times = [change.atime, change.mtime];
    let sets_time = times.iter().any(|time| matches!(time, SetTime::To(_)));
    if (change.mode.is_some() || sets_time) && !owner {
        return Err(FsError::NotPermitted);
    }
    if times.contains(&SetTime::Now) && !writable {
        return Err(FsError::AccessDenied);
    }
    if !who.is_root() {
        let gives_away = change.uid.is_some_and(|uid| uid != meta.uid || !owner);
        let foreign_group = change.gid.is_some_and(|gid| !owner || !(who.in_group(gid) || gid == meta.gid));
        if gives_away || foreign_group {
            return Err(FsError::NotPermitted);
        }
    }
    if change.size.is_some() {
        match meta.kind {
            Kind::Regular if writable => {}
            Kind::Regular => return Err(FsError::AccessDenied),
            Kind::Directory => return Err(FsError::IsDirectory),
            _ => return Err(FsError::Invalid),
        }
    }
    Ok(())
}

/// Makes `change`, which is allowed; the size is the caller's part.
pub(super) fn apply(
    tree: &mut Tree,
    ino: Ino,
    change: &SetAttributes,
    who: &Credential,
) -> Result<(), FsError> {
    let now = Timestamp::now();
    let inode = tree.inode_mut(ino)?;
    // The verifier of an exclusive CREATE stands for the file until there is more to it than its owner and mode. Other
    // servers keep it in the times (RFC 1813 §3.3.8), and clients set them first.
    if change.size.is_some() || [change.atime, change.mtime] != [SetTime::Keep; 2] {
        inode.verifier = None;
    }
    let meta = &mut inode.meta;
    if change.size.is_some() {
        meta.mtime = now;
        if !who.is_root() {
            meta.drop_set_ids();
        }
    }
    if (change.uid.is_some() || change.gid.is_some()) && meta.kind != Kind::Directory && change.mode.is_none()
    {
        meta.drop_set_ids();
    }
    meta.uid = change.uid.unwrap_or(meta.uid);
    meta.gid = change.gid.unwrap_or(meta.gid);
    if let Some(mode) = change.mode {
        meta.mode = mode & 0o7777;
        if !who.is_root() && !who.in_group(meta.gid) {
            meta.mode &= !0o2000;
        }
    }
    for (time, change) in [(&mut meta.atime, change.atime), (&mut meta.mtime, change.mtime)] {
        match change {
            SetTime::Keep => {}
            SetTime::Now => *time = now,
            SetTime::To(at) => *time = at,
        }
    }
    meta.ctime = now;
    Ok(())
}
