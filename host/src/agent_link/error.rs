//! What can go wrong between runner and agent.

use std::fmt;
use std::io;
use std::time::Duration;

use protocol::frame::Kind;
use protocol::link::{LinkError, SendError};
use protocol::message::DecodeError;

/// Why the agent cannot be talked to any more.
#[derive(Debug, thiserror::Error)]
pub enum AgentLinkError {
    /// What was waited for did not come.
    #[error("waited {:.1} s for {awaited}; {last}", waited.as_secs_f64())]
    Timeout {
        /// What was waited for.
        awaited: String,
        /// For how long.
        waited: Duration,
        /// What came last.
        last: LastHeard,
    },
    /// The agent's first message was another than `Ready`.
    #[error("the agent began with {got} instead of Ready")]
    NotReady {
        /// The message, for humans.
        got: String,
    },
    /// The link failed: silence, no common version, or an agent that started again.
    #[error("the link to the agent failed; {last}")]
    Link {
        /// How.
        #[source]
        source: LinkError,
        /// What came last.
        last: LastHeard,
    },
    /// The agent closed the link without being told to.
    #[error("the agent has ended the link; {last}")]
    Closed {
        /// What came last.
        last: LastHeard,
    },
    /// The agent's place was taken by somebody else, such as the shell that had started it.
    #[error("the agent has gone: {instead}, and the agent gave no sign of life within {:.0} s; {last}", waited.as_secs_f64())]
    Gone {
        /// What was seen instead.
        instead: String,
        /// How long a sign of life was waited for.
        waited: Duration,
        /// What came last.
        last: LastHeard,
    },
    /// The stream below the link ended.
    #[error("the connection to the agent has ended; {last}")]
    Disconnected {
        /// What came last.
        last: LastHeard,
    },
    /// Reading the stream failed.
    #[error("cannot read from the agent's connection: {error}; {last}")]
    Read {
        /// Why.
        error: io::Error,
        /// What came last.
        last: LastHeard,
    },
    /// Writing to the stream failed.
    #[error("cannot write to the agent's connection: {error}; {last}")]
    Write {
        /// Why.
        error: io::Error,
        /// What came last.
        last: LastHeard,
    },
    /// A message of the agent could not be read.
    #[error("the agent sent something that is not a message")]
    Malformed(#[source] DecodeError),
    /// A message for the agent could not be queued: it is too long.
    #[error("cannot send to the agent")]
    Send(#[source] SendError),
    /// The agent could not write a file.
    #[error("the agent could not write {path}: {} after {written} of {length} bytes", io::Error::from_raw_os_error(i32::from(*errno)))]
    File {
        /// The file, relative to the agent's directory.
        path: String,
        /// The errno on the target, as Linux numbers them; 0 if it only wrote too little.
        errno: u16,
        /// Bytes that it wrote.
        written: u32,
        /// Bytes that it was sent.
        length: usize,
    },
    /// The agent said so much that was not asked for that no more can be kept.
    #[error("more than {limit} messages of the agent came in while waiting for {awaited}")]
    Backlog {
        /// What was waited for.
        awaited: String,
        /// Messages that can be kept.
        limit: usize,
    },
}

impl AgentLinkError {
    /// Whether time was over.
    pub const fn is_late(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

/// What came last from the other end: for errors about waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastHeard {
    /// Time since the last frame, and its kind.
    pub frame: Option<(Duration, Kind)>,
    /// The end of the text that came outside of frames.
    pub text: String,
}

impl fmt::Display for LastHeard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame {
            Some((ago, kind)) => write!(f, "its last frame ({kind:?}) came {:.1} s ago", ago.as_secs_f64())?,
            None => f.write_str("no frame ever came")?,
        }
        if !self.text.is_empty() {
            write!(f, "; the last text was {:?}", self.text)?;
        }
        Ok(())
    }
}
