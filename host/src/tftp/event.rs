//! What the server tells of requests and transfers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::packet::{ErrorCode, Packet, PacketError};
use super::source::OpenError;
use super::transfer::Failure;

/// Something that happened to a request.
#[derive(Clone, Debug)]
pub struct TftpEvent {
    /// Who asked.
    pub peer: SocketAddr,
    /// For which name, as sent; empty if the request was not readable.
    pub name: String,
    /// What happened.
    pub kind: TftpEventKind,
}

/// What happened to a request.
#[derive(Clone, Debug)]
pub enum TftpEventKind {
    /// A transfer started.
    Started {
        /// Size of the file in bytes.
        size: u64,
        /// Block size in bytes.
        block_size: u64,
        /// Window in blocks.
        window: u64,
    },
    /// A transfer went on; at most five times a second.
    Progress {
        /// Bytes that the client has acknowledged.
        done: u64,
        /// Size of the file in bytes.
        total: u64,
    },
    /// The client has the whole file.
    Done {
        /// Size of the file in bytes.
        bytes: u64,
        /// How long the transfer took.
        took: Duration,
        /// Block size in bytes.
        block_size: u64,
        /// Window in blocks.
        window: u64,
        /// Blocks that were sent more than once.
        retransmits: u64,
    },
    /// The transfer ended early.
    Failed(Failure),
    /// The request was not granted.
    Refused(Refusal),
}

/// Why a request was not granted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing is served to this address; it gets no answer.
    #[error("nothing is served to this address")]
    UnknownPeer,
    /// The address has files, but none of this name.
    #[error("no such file")]
    NoSuchFile,
    /// The client wants to write.
    #[error("the server is read-only")]
    ReadOnly,
    /// The request is not one.
    #[error("not a request")]
    Malformed(#[source] PacketError),
    /// There are too many transfers, of this address or in all.
    #[error("too many transfers at once")]
    Busy,
    /// The file cannot be opened.
    #[error("the file cannot be opened")]
    Open(#[source] Arc<io::Error>),
    /// The file is too large to be converted.
    #[error("files of more than {limit} bytes are served in octet mode only")]
    Netascii {
        /// Largest file that is converted, in bytes.
        limit: u64,
    },
    /// No socket could be made for the transfer.
    #[error("no socket for the transfer")]
    Socket(#[source] Arc<io::Error>),
    /// No thread could be made for the transfer.
    #[error("no thread for the transfer")]
    Thread(#[source] Arc<io::Error>),
}

impl Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchFile | Self::Malformed(PacketError::Name) => ErrorCode::FileNotFound,
            Self::UnknownPeer | Self::ReadOnly => ErrorCode::AccessViolation,
            Self::Malformed(_) => ErrorCode::IllegalOperation,
            Self::Busy | Self::Open(_) | Self::Netascii { .. } | Self::Socket(_) | Self::Thread(_) => {
                ErrorCode::NotDefined
            }
        }
    }

    /// What the client is told: nothing of this PC's files and sockets.
    pub(super) fn packet(&self) -> Vec<u8> {
        let message = match self {
            Self::Malformed(why) => format!("{self}: {why}"),
            _ => self.to_string(),
        };
        Packet::Error { code: self.code(), message }.to_vec()
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Netascii { limit } => Self::Netascii { limit },
            OpenError::File(error) => Self::Open(error.into()),
        }
    }
}
