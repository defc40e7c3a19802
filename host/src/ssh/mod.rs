//! Secondary connections over SSH: a client for a host whose keys are known beforehand.
//!
//! The runner puts its public key into the root filesystem and takes the host keys from there, so that both sides are
//! checked strictly from the first connection on.

mod channel;
mod connect;
mod error;
mod keys;
mod lasting;
mod session;

pub use channel::{ExecEnd, ExecStatus, SshChannel};
pub use connect::{SshTarget, connect};
pub use error::SshError;
pub use keys::{HostKeyMismatch, HostKeys, HostKeysError, KeyPair};
pub use lasting::LastingChannel;
pub use session::SshSession;

#[cfg(test)]
mod tests;
