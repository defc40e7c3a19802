//! What can go wrong with a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{ExecStatus, HostKeyMismatch};

/// A connection that could not be made, was lost, or a command that failed.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// TCP could not connect; the text is the system's own, such as "Connection refused".
    #[error("{0}")]
    Connect(io::Error),
    /// The SSH handshake failed; the text is SSH's own.
    #[error("{0}")]
    Handshake(russh::Error),
    /// Something took too long.
    #[error("no {awaited} within {limit:?}")]
    Timeout {
        /// What was waited for.
        awaited: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The host is another one.
    #[error(transparent)]
    HostKey(#[from] HostKeyMismatch),
    /// The host does not accept our key.
    #[error("Permission denied ({methods})")]
    Denied {
        /// The methods that the host would accept, separated by commas.
        methods: String,
    },
    /// The deadline came before a connection was made.
    #[error("no SSH connection to {user}@{address} after {attempts} attempts in {waited:.1?}: {last}")]
    GaveUp {
        /// Login name.
        user: String,
        /// The host.
        address: SocketAddr,
        /// Number of attempts.
        attempts: u32,
        /// How long it was tried.
        waited: Duration,
        /// The last attempt's error.
        #[source]
        last: Box<Self>,
    },
    /// The connection ended under us.
    #[error("SSH connection lost: {reason}")]
    Lost {
        /// SSH's own text, or what was going on.
        reason: String,
    },
    /// The host refused to open a channel or to run a command.
    #[error("the host refused to run `{command}`")]
    Refused {
        /// The command.
        command: String,
    },
    /// The host could not write a file.
    #[error("upload to {path} failed with {status}: {stderr}")]
    Upload {
        /// The file.
        path: String,
        /// How the shell ended.
        status: ExecStatus,
        /// The shell's own words.
        stderr: String,
    },
}

impl SshError {
    /// Whether the caller's time was over.
    pub const fn is_late(&self) -> bool {
        matches!(self, Self::GaveUp { .. })
    }

    /// Whether a host that is still starting may give this error, so that another attempt is worth while.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout { .. } | Self::Lost { .. } => true,
            Self::Handshake(error) => matches!(
                error,
                russh::Error::IO(_)
                    | russh::Error::HUP
                    | russh::Error::Disconnect
                    | russh::Error::ConnectionTimeout
                    | russh::Error::KeepaliveTimeout
                    | russh::Error::SendError
                    | russh::Error::RecvError
            ),
            Self::HostKey(_)
            | Self::Denied { .. }
            | Self::GaveUp { .. }
            | Self::Refused { .. }
            | Self::Upload { .. } => false,
        }
    }
}
