//! The bytes of the protocol, one module per version.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod v01;
