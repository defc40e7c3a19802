//! Who asks, and by which call.

use serde::{Deserialize, Serialize};

/// One call of a client, as it is known again when it is sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId {
    /// The client's number of the call (RFC 5531 §9).
    pub xid: u32,
    /// CRC-32 of the whole call: another call may have the same number.
    pub checksum: u32,
}

impl CallId {
    /// The call number `xid` with the bytes `record`.
    pub fn new(xid: u32, record: &[u8]) -> Self {
        Self { xid, checksum: crc32fast::hash(record) }
    }
}

/// The caller of an operation, as AUTH_SYS states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// User id; 0 may do everything.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids, at most 16.
    pub gids: Vec<u32>,
    /// The call, if it must not be carried out twice: the layer remembers it together with what it changes.
    pub call: Option<CallId>,
}

impl Credential {
    /// The superuser.
    pub const fn root() -> Self {
        Self { uid: 0, gid: 0, gids: Vec::new(), call: None }
    }

    /// The user that callers without a credential become (65534).
    pub const fn nobody() -> Self {
        Self { uid: 65_534, gid: 65_534, gids: Vec::new(), call: None }
    }

    /// Whether this is the superuser.
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether `gid` is among the groups.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.gids.contains(&gid)
    }
}
