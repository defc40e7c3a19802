//! Numbers of the procedures (RFC 1813 §3).

pub(super) const NULL: u32 = 0;
pub(super) const GETATTR: u32 = 1;
pub(super) const SETATTR: u32 = 2;
pub(super) const LOOKUP: u32 = 3;
pub(super) const ACCESS: u32 = 4;
pub(super) const READLINK: u32 = 5;
pub(super) const READ: u32 = 6;
pub(super) const WRITE: u32 = 7;
pub(super) const CREATE: u32 = 8;
pub(super) const MKDIR: u32 = 9;
pub(super) const SYMLINK: u32 = 10;
pub(super) const MKNOD: u32 = 11;
pub(super) const REMOVE: u32 = 12;
pub(super) const RMDIR: u32 = 13;
pub(super) const RENAME: u32 = 14;
pub(super) const LINK: u32 = 15;
pub(super) const READDIR: u32 = 16;
pub(super) const READDIRPLUS: u32 = 17;
pub(super) const FSSTAT: u32 = 18;
pub(super) const FSINFO: u32 = 19;
pub(super) const PATHCONF: u32 = 20;
pub(super) const COMMIT: u32 = 21;
