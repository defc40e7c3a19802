//! What is known about a file besides its data.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Number of an inode, unique in its layer and never used twice: 2 (the root) up to 2^31 - 1.
///
/// The bound lets 32-bit programs without large-file support hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ino(u32);

impl Ino {
    /// The root directory.
    pub const ROOT: Self = Self(2);
    /// The largest number.
    pub const MAX: Self = Self(i32::MAX as u32);

    /// The inode number `value`, if it is one.
    pub fn new(value: u32) -> Option<Self> {
        (Self::ROOT.0..=Self::MAX.0).contains(&value).then_some(Self(value))
    }

    /// The bare number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Ino {
    type Error = &'static str;

    fn try_from(value: u32) -> Result<Self, Self::Error> {
        Self::new(value).ok_or("not an inode number")
    }
}

impl From<Ino> for u32 {
    fn from(ino: Ino) -> Self {
        ino.0
    }
}

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Regular file.
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Character device.
    CharacterDevice,
    /// Block device.
    BlockDevice,
    /// Named pipe.
    Fifo,
    /// Unix socket.
    Socket,
}

/// A time since 1970-01-01 UTC, up to 2106, as NFSv3 carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: u32,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// The time of the bench PC; a clock outside 1970..2106 is clamped.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: u32::try_from(since.as_secs()).unwrap_or(u32::MAX),
            nanoseconds: since.subsec_nanos(),
        }
    }
}

/// Everything `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Inode number.
    pub ino: Ino,
    /// Type.
    pub kind: Kind,
    /// Permission bits with set-id and sticky, 0..=0o7777.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes; of a symbolic link the length of its target.
    pub size: u64,
    /// Disk space in bytes.
    pub used: u64,
    /// Major and minor number of a device, else zeros.
    pub device: (u32, u32),
    /// Last access. Not moved by reading.
    pub atime: Timestamp,
    /// Last change of the data.
    pub mtime: Timestamp,
    /// Last change of data or attributes.
    pub ctime: Timestamp,
}

/// How a time is to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetTime {
    /// Not at all.
    #[default]
    Keep,
    /// To the time of the server.
    Now,
    /// To this time.
    To(Timestamp),
}

/// Attributes to set; `None` keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttributes {
    /// Permission bits, 0..=0o7777.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size in bytes: cuts the file, or lets it grow by a hole.
    pub size: Option<u64>,
    /// Last access.
    pub atime: SetTime,
    /// Last change of the data.
    pub mtime: SetTime,
}

impl SetAttributes {
    /// Sets the mode alone.
    pub fn with_mode(mode: u32) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }
}
