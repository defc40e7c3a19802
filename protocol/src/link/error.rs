//! What can go wrong on a link.

use core::fmt;

use super::State;
use crate::frame::Kind;
use crate::version;

/// Why a link failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// The ends have no protocol version in common.
    Version {
        /// Oldest version that the other end speaks.
        min: u8,
        /// Newest version that the other end speaks.
        current: u8,
    },
    /// Nothing came for too long.
    Lost {
        /// How long, in milliseconds.
        silent_ms: u64,
        /// What came last; `None` if nothing ever did.
        last: Option<Kind>,
        /// Messages that the other end has not taken.
        undelivered: u8,
    },
    /// The other end is heard, but a message did not get through to it.
    Stuck {
        /// Length of the message.
        bytes: u16,
        /// How often it was sent.
        sends: u16,
        /// For how long, in milliseconds.
        tried_ms: u64,
    },
    /// The other end is another run of its program than the one that the link began with.
    Restarted {
        /// Its new id.
        id: u32,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Version { min, current } => write!(
                f,
                "the other end speaks protocol versions {min} to {current}, this one {} to {}",
                version::MIN,
                version::CURRENT
            ),
            Self::Lost { silent_ms, last: None, .. } => {
                write!(
                    f,
                    "the other end has said nothing for {}.{} s",
                    silent_ms / 1000,
                    silent_ms % 1000 / 100
                )
            }
            Self::Lost { silent_ms, last: Some(last), undelivered } => write!(
                f,
                "the other end has said nothing for {}.{} s; its last frame was {last:?}, and {undelivered} messages to it are \
                 unacknowledged",
                silent_ms / 1000,
                silent_ms % 1000 / 100
            ),
            Self::Stuck { bytes, sends, tried_ms } => write!(
                f,
                "the line damages too much: a message of {bytes} bytes was sent {sends} times in {}.{} s and did not get through",
                tried_ms / 1000,
                tried_ms % 1000 / 100
            ),
            Self::Restarted { id } => write!(f, "the other end has restarted (its id is now {id:08x})"),
        }
    }
}

impl core::error::Error for LinkError {}

/// Why a message was not queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// [`WINDOW`](super::WINDOW) messages are on their way already.
    Full,
    /// The link is closing, closed or failed.
    NotOpen(State),
    /// The message could not be encoded; in practice it is longer than [`MAX_MESSAGE`](crate::limits::MAX_MESSAGE).
    Encode(postcard::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("too many messages are on their way"),
            Self::NotOpen(state) => write!(f, "the link is not open ({state:?})"),
            Self::Encode(_) => f.write_str("the message is too long"),
        }
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Full | Self::NotOpen(_) => None,
        }
    }
}
