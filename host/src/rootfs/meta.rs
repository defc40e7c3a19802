//! What the index and the layer keep of an inode, and what its mode permits.

use serde::{Deserialize, Serialize};

use super::{Credential, Kind, Timestamp};

/// What an inode is, besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) nlink: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) device: (u32, u32),
    pub(super) atime: Timestamp,
    pub(super) mtime: Timestamp,
    pub(super) ctime: Timestamp,
}

impl Meta {
    /// A directory of the superuser.
    pub(super) fn directory(mode: u32) -> Self {
        let time = Timestamp::default();
        Self {
            kind: Kind::Directory,
            mode,
            nlink: 2,
            uid: 0,
            gid: 0,
            device: (0, 0),
            atime: time,
            mtime: time,
            ctime: time,
        }
    }

    /// Whether mode and times are within their ranges.
    pub(super) fn is_valid(&self) -> bool {
        let times = [self.atime, self.mtime, self.ctime];
        self.mode <= 0o7777 && times.into_iter().all(|time| time.nanoseconds < 1_000_000_000)
    }

    /// The bits `rwx` (4, 2, 1) that `who` has.
    pub(super) fn permitted(&self, who: &Credential) -> u32 {
        if who.is_root() {
            let executable = self.kind == Kind::Directory || self.mode & 0o111 != 0;
            return 6 | u32::from(executable);
        }
        let shift = if who.uid == self.uid {
            6
        } else if who.in_group(self.gid) {
            3
        } else {
            0
        };
        self.mode >> shift & 7
    }

    /// Whether `who` may do what only the owner may.
    pub(super) fn owned_by(&self, who: &Credential) -> bool {
        who.is_root() || who.uid == self.uid
    }

    /// Drops set-user-id, and set-group-id where it means execution, as a change by others than root must.
    pub(super) fn drop_set_ids(&mut self) {
        self.mode &= !0o4000;
        if self.mode & 0o010 != 0 {
            self.mode &= !0o2000;
        }
    }
}
