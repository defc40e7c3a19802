//! Who asks.

/// The caller of an operation, as AUTH_SYS states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// User id; 0 may do everything.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids, at most 16.
    pub gids: Vec<u32>,
}

impl Credential {
    /// The superuser.
    pub const fn root() -> Self {
        Self { uid: 0, gid: 0, gids: Vec::new() }
    }

    /// The user that callers without a credential become (65534).
    pub const fn nobody() -> Self {
        Self { uid: 65_534, gid: 65_534, gids: Vec::new() }
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
