//! Asking the port service for a socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_type};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, getsockname, socket_with,
};

use super::request::{Answer, MAX_PACKET, Protocol, Refusal, Request};
use super::{SERVICE_SOCKET, SERVICE_SOCKET_VARIABLE};
use crate::packet;

/// How long the service may take for each step; its start by systemd is the longest.
const STEP_TIME: Duration = Duration::from_secs(10);

/// Why the port service gave no socket. The path is that of its socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// Nobody listens.
    #[error("there is no port service at {}", path.display())]
    Absent { path: PathBuf },
    /// This user may not ask it.
    #[error("the port service at {} is not for this user: {source}", path.display())]
    Forbidden {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It does not answer.
    #[error(
        "the port service at {} did not {awaited} within {} s",
        path.display(),
        waited.as_secs()
    )]
    Timeout { path: PathBuf, awaited: &'static str, waited: Duration },
    /// The conversation failed.
    #[error("the port service at {} cannot be asked: {source}", path.display())]
    Conversation {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Its system call failed.
    #[error("the port service could not bind it either: {source}")]
    System {
        #[source]
        source: io::Error,
    },
    /// It would not.
    #[error("the port service at {} refused: {reason}", path.display())]
    Refused { path: PathBuf, reason: String },
}

/// Has the service bind a socket. Waits for its start and its answer, 10 s each.
///
/// # Errors
/// Each [`ServiceError`].
pub(super) fn ask(request: &Request) -> Result<OwnedFd, ServiceError> {
    let path = std::env::var_os(SERVICE_SOCKET_VARIABLE).map_or_else(|| SERVICE_SOCKET.into(), PathBuf::from);
    ask_at(&path, request)
}

fn ask_at(path: &Path, request: &Request) -> Result<OwnedFd, ServiceError> {
    let started = Instant::now();
    let failed = |awaited: &'static str| {
        move |source: io::Error| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ServiceError::Absent { path },
                io::ErrorKind::PermissionDenied => ServiceError::Forbidden { path, source },
                io::ErrorKind::WouldBlock => {
                    ServiceError::Timeout { path, awaited, waited: started.elapsed() }
                }
                _ => ServiceError::Conversation { path, source },
            }
        }
    };
    let socket = open(path).map_err(failed("take the connection"))?;
    packet::send(&socket, request, &[], MAX_PACKET).map_err(failed("take the request"))?;
    let answer = packet::receive::<Answer>(&socket, MAX_PACKET).map_err(failed("answer"))?;
    let Some((answer, mut fds)) = answer else {
        let source = io::Error::new(io::ErrorKind::UnexpectedEof, "it ended without an answer");
        return Err(ServiceError::Conversation { path: path.to_owned(), source });
    };
    match (answer, fds.pop()) {
        (Answer::Socket, Some(socket)) if is_what_was_asked(&socket, request) => Ok(socket),
        (Answer::Socket, _) => Err(ServiceError::Refused {
            path: path.to_owned(),
            reason: "its answer is not the socket that was asked for".to_owned(),
        }),
        (Answer::Refused(Refusal::System { errno }), _) => {
            Err(ServiceError::System { source: io::Error::from_raw_os_error(errno) })
        }
        (Answer::Refused(refusal), _) => {
            Err(ServiceError::Refused { path: path.to_owned(), reason: refusal.to_string() })
        }
    }
}

/// A connection to `path` on which no wait takes longer than [`STEP_TIME`].
fn open(path: &Path) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    for kind in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, kind, Some(STEP_TIME))?;
    }
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Whether the service's answer is to be believed.
fn is_what_was_asked(socket: &OwnedFd, request: &Request) -> bool {
    let expected = match request.protocol {
        Protocol::Udp => SocketType::DGRAM,
        Protocol::Tcp => SocketType::STREAM,
    };
    let local = getsockname(socket).ok().and_then(|local| SocketAddr::try_from(local).ok());
    socket_type(socket) == Ok(expected)
        && local
            .is_some_and(|local| (local.ip(), local.port()) == (request.address.ip(), request.address.port()))
}
