//! Messages to bytes and back.

use serde::{Deserialize, Serialize};

/// Why a message could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not a message of this version, or damaged.
    Malformed(postcard::Error),
    /// This many bytes follow it.
    Trailing(usize),
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("malformed message"),
            Self::Trailing(bytes) => write!(f, "{bytes} bytes follow the message"),
        }
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Trailing(_) => None,
        }
    }
}

/// Writes `message` to the start of `out` and returns the bytes written.
///
/// # Errors
/// postcard's own, in practice that `out` is too short.
pub fn encode<'o>(message: &impl Serialize, out: &'o mut [u8]) -> Result<&'o mut [u8], postcard::Error> {
    postcard::to_slice(message, out)
}

/// Reads one message that takes up all of `bytes`.
///
/// # Errors
/// [`DecodeError`]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(DecodeError::Trailing(rest.len())),
        Err(error) => Err(DecodeError::Malformed(error)),
    }
}
