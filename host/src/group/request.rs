//! What members ask of the group, and what they get.

use std::fmt;

use super::Refusal;

/// Longest message id, in bytes.
const MAX_ID: usize = 1024;

/// Longest data of one message, keys and values together, in bytes.
const MAX_DATA: usize = 64 * 1024;

/// One request of a member. Source: LAVA's MultiNode API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Keeps a message for the whole group; answered at once.
    Send {
        /// Message id.
        id: String,
        /// Keys and values.
        data: Vec<(String, String)>,
    },
    /// Waits until any member has sent `id`.
    Wait {
        /// Message id.
        id: String,
    },
    /// Waits until every member, or every member of `role`, has sent `id`. Role configuration `lava-start` is
    /// `lava_start` of its `expect_role`.
    WaitAll {
        /// Message id.
        id: String,
        /// Restricts the wait to one role.
        role: Option<String>,
    },
    /// Waits until every member waits at the same barrier.
    Sync {
        /// Barrier id; barriers and messages do not share ids.
        id: String,
    },
}

/// What a request was answered with; empty for send and sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Sender, key and value, by sender in group order.
    pub messages: Vec<(String, String, String)>,
}

/// As it would be typed on the target.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { id, data } => {
                write!(f, "lava-send {id}")?;
                data.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::Wait { id } => write!(f, "lava-wait {id}"),
            Self::WaitAll { id, role: None } => write!(f, "lava-wait-all {id}"),
            Self::WaitAll { id, role: Some(role) } => write!(f, "lava-wait-all {id} {role}"),
            Self::Sync { id } => write!(f, "lava-sync {id}"),
        }
    }
}

impl Request {
    /// Whether a message of this id may be what it waits for.
    pub(super) fn waits_for(&self, message: &str) -> bool {
        matches!(self, Self::Wait { id } | Self::WaitAll { id, .. } if id == message)
    }

    /// Refuses what is empty or too long.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let (Self::Send { id, .. } | Self::Wait { id } | Self::WaitAll { id, .. } | Self::Sync { id }) = self;
        if id.is_empty() {
            return Err(Refusal::EmptyId);
        }
        if id.len() > MAX_ID {
            return Err(Refusal::TooLong { what: "message id", bytes: id.len(), limit: MAX_ID });
        }
        if let Self::Send { data, .. } = self {
            let bytes = data.iter().map(|(key, value)| key.len() + value.len()).sum();
            if bytes > MAX_DATA {
                return Err(Refusal::TooLong { what: "message", bytes, limit: MAX_DATA });
            }
        }
        Ok(())
    }
}
