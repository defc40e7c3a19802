//! Messages that outlive the buffer they came in.

use protocol::AgentToHost;
use protocol::message::DecodeError;

/// One message of the agent, with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// What the agent said.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not a message of this protocol version: the agent is not one of ours.
    pub fn decode(&self) -> Result<AgentToHost<'_>, DecodeError> {
        protocol::message::decode(&self.0)
    }
}
