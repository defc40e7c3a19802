//! Messages between runner and helper: one JSON value per packet, file descriptors beside it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Layout;
use crate::packet;

/// Largest packet in bytes: a command line fits, a runaway sender does not.
const MAX_PACKET: usize = 64 * 1024;

/// A request or its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Packet<T> {
    /// Number of the request; its answer carries the same.
    pub(super) id: u64,
    /// What is asked or answered.
    pub(super) body: T,
}

/// What the runner asks of the helper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Set up the links. First request, once.
    SetUp(Layout),
    /// Make a non-blocking socket.
    Socket { family: Family, kind: Kind },
    /// Start a process on the packet's descriptors: standard input, output and error, lifeline.
    Spawn { argv: Vec<OsString> },
}

/// Address family of a socket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Family {
    V4,
    V6,
}

/// Kind of a socket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Udp,
    Tcp,
}

/// The helper's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The links are up.
    Ready,
    /// The socket is the packet's descriptor.
    Socket,
    /// The process runs.
    Spawned { pid: u32 },
    /// It could not be done.
    Refused(Refusal),
}

/// Why the helper could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The device that makes taps cannot be opened.
    #[error("/dev/net/tun cannot be opened: {reason}")]
    TunDevice {
        /// The system's reason.
        reason: String,
    },
    /// A program that the helper needs cannot be run.
    #[error("`{program}` cannot be run: {reason}")]
    Program {
        /// Name of the program.
        program: String,
        /// The system's reason.
        reason: String,
    },
    /// A link could not be set up.
    #[error("`{command}` failed: {reason}")]
    Link {
        /// The command line.
        command: String,
        /// What it printed.
        reason: String,
    },
    /// The system has no bridges, and more than one board needs one.
    #[error("{boards} virtual boards need a bridge, and the system refuses one: {reason}")]
    Bridge {
        /// Number of boards.
        boards: usize,
        /// What `ip` printed.
        reason: String,
    },
    /// A socket could not be made.
    #[error("cannot make a socket: {}", io::Error::from_raw_os_error(*.errno))]
    Socket {
        /// The system's error number.
        errno: i32,
    },
    /// The request was not one that can be met.
    #[error("unexpected request")]
    Unexpected,
}

/// Sends `message` and `fds` (at most [`packet::MAX_FDS`]) as one packet.
///
/// # Errors
/// Those of [`packet::send`]; a message may have [`MAX_PACKET`] bytes.
pub(super) fn send<T: Serialize>(socket: impl AsFd, message: &T, fds: &[OwnedFd]) -> io::Result<()> {
    packet::send(socket, message, fds, MAX_PACKET)
}

/// Receives one packet; `None` at the end of the connection.
///
/// # Errors
/// Those of [`packet::receive`].
pub(super) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    packet::receive(socket, MAX_PACKET)
}
