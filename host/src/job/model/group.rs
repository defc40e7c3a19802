//! The group: waits for its start, and requests that blocks make of it.

use super::Located;
use crate::diagnostic::Span;
use crate::limit::Limit;

/// A wait for another role's `lava_start`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedStart {
    /// The role whose `lava_start` releases the node.
    pub expect_role: Located<String>,
    /// How long to wait for it.
    pub timeout: Limit,
}

/// A request to the group from an action block's `protocols: lava-multinode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolCall {
    /// The part of the block that makes it, such as `prepare-scp-overlay`.
    pub action: String,
    /// What is asked.
    pub request: GroupRequest,
    /// `messageID`.
    pub message_id: String,
    /// `message`: keys and values in the file's order; a value that begins with `$` is replaced from the answer.
    pub message: Vec<(String, String)>,
    /// `role`, for `lava-wait-all`.
    pub role: Option<String>,
    /// How long it may wait.
    pub timeout: Limit,
    /// `file:line:column` of the call.
    pub place: String,
    /// Where `messageID` is written.
    pub id_span: Span,
    /// The same in bytes.
    pub span: Span,
}

/// When in its block a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before anything else.
    Start,
    /// Before the login: the kernel was started.
    Login,
    /// Once the block is done and a shell is there.
    Shell,
}

impl ProtocolCall {
    /// When it is made: LAVA makes it at the beginning of the action that it names.
    pub fn moment(&self) -> Moment {
        match self.action.as_str() {
            "auto-login-action" | "login-action" => Moment::Login,
            "expect-shell-connection" | "export-device-env" | "overlay-unpack" | "scp-overlay-unpack" => {
                Moment::Shell
            }
            _ => Moment::Start,
        }
    }
}

/// Requests that a job may make of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupRequest {
    /// `lava-send`.
    Send,
    /// `lava-wait`.
    Wait,
    /// `lava-wait-all`.
    WaitAll,
    /// `lava-sync`.
    Sync,
}

impl GroupRequest {
    /// All of them, by their names in LAVA.
    pub(crate) const NAMES: [(&str, Self); 4] = [
        (Self::Send.name(), Self::Send),
        (Self::Wait.name(), Self::Wait),
        (Self::WaitAll.name(), Self::WaitAll),
        (Self::Sync.name(), Self::Sync),
    ];

    /// Its name in LAVA.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "lava-send",
            Self::Wait => "lava-wait",
            Self::WaitAll => "lava-wait-all",
            Self::Sync => "lava-sync",
        }
    }
}
