//! The agent's side of its Unix socket: helpers' connections, and which call belongs to which.
//!
//! The socket keeps message boundaries (`SOCK_SEQPACKET`): one packet is one message, so no connection needs a buffer.

use core::ffi::CStr;

use heapless::Vec;
use protocol::helper::{Packet, Reply};
use protocol::limits::MAX_MESSAGE;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
};

use crate::text_file;

/// Environment variable with the path of the agent's socket.
pub(crate) const SOCKET_VARIABLE: &str = "LAVA_AGENT_SOCKET";

/// Environment variable with the agent's process id, for what must not outlive it.
pub(crate) const PROCESS_VARIABLE: &str = "LAVA_AGENT_PID";

/// Environment variable with the runner's number for the script that a helper is called from.
pub(crate) const RUN_VARIABLE: &str = "LAVA_AGENT_RUN";

/// Environment variable that tells what the agent's link runs over: `console`, `stdio`, `fifo` or `tcp`.
pub(crate) const LINK_VARIABLE: &str = "LAVA_AGENT_LINK";

/// Most helpers that are served at once; others are refused. Many may wait for the group, on a board that plays many parts.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// Longest call of a helper: what goes into one message beside the call's number.
pub(crate) const MAX_CALL: usize = MAX_MESSAGE - 16;

/// Helpers' connections.
pub(crate) struct Calls<'p> {
    listener: OwnedFd,
    /// Where helpers find the socket, until it is closed.
    path: Option<&'p CStr>,
    connections: Vec<Connection, MAX_CONNECTIONS>,
    next_call: u32,
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

struct Connection {
    fd: OwnedFd,
    /// The number of the call that waits for its reply.
    call: Option<u32>,
}

/// What a readable connection had.
pub(crate) enum Event<'b> {
    /// A call, numbered.
    Called(u32, Packet<'b>),
    /// The helper has gone while the call of this number waited for its reply.
    Gone(u32),
    /// Nothing that the runner must know.
    Nothing,
}

impl<'p> Calls<'p> {
    /// Listens at `path`, for the owner alone. What an agent before this one left there is removed.
    ///
    /// # Errors
    /// The errno of the system call that failed.
    pub(crate) fn listen(path: &'p CStr) -> Result<Self> {
        let listener = listen(path)?;
        rustix::fs::fcntl_setfl(&listener, OFlags::NONBLOCK)?;
        Ok(Self { listener, path: Some(path), connections: Vec::new(), next_call: 1 })
    }

    /// Has no helper call any more. This comes before the runner is told that the agent ends: the one that it starts next,
    /// on another console perhaps, listens at the same path.
    pub(crate) fn close(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = text_file::remove(path);
        }
    }

    /// Returns the socket to accept from.
    pub(crate) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Returns the connections, by index.
    pub(crate) fn connections(&self) -> impl DoubleEndedIterator<Item = BorrowedFd<'_>> {
        self.connections.iter().map(|connection| connection.fd.as_fd())
    }

    /// Takes the connection that waits, if one does; refuses it if too many are there.
    pub(crate) fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // A helper that has given up meanwhile is nobody's trouble.
        if let Ok(fd) = accept_with(&self.listener, flags) {
            if let Err(refused) = self.connections.push(Connection { fd, call: None }) {
                let _ = send(&refused, &Reply::Refused { reason: "64 helpers are waiting already" });
            }
        }
    }

    /// Reads one packet from connection `index`; ends the connection at its end or if it is out of turn.
    pub(crate) fn read<'b>(&mut self, index: usize, buffer: &'b mut [u8; MAX_MESSAGE]) -> Event<'b> {
        let Some(connection) = self.connections.get_mut(index) else {
            return Event::Nothing;
        };
        let count = match rustix::net::recv(&connection.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN | Errno::INTR) => return Event::Nothing,
            Ok((count, _)) if count > 0 && connection.call.is_none() => count,
            _ => {
                let call = connection.call;
                self.end(index);
                return call.map_or(Event::Nothing, Event::Gone);
            }
        };
        let Ok(request) = postcard::from_bytes(buffer.get(..count).unwrap_or_default()) else {
            let refused =
                Reply::Refused { reason: "malformed call; is the helper of another version than the agent?" };
            if send(connection, &refused).is_err() {
                self.end(index);
            }
            return Event::Nothing;
        };
        let call = self.next_call;
        self.next_call = self.next_call.wrapping_add(1);
        connection.call = Some(call);
        Event::Called(call, request)
    }

    /// Ends a connection; the last one takes its place.
    ///
    /// Not by `swap_remove`, whose assertion would take up 200 bytes of the agent.
    fn end(&mut self, index: usize) {
        let last = self.connections.pop();
        if let (Some(place), Some(last)) = (self.connections.get_mut(index), last) {
            *place = last;
        }
    }

    /// Passes a reply on to the helper that waits for it; one whose helper has gone is dropped.
    pub(crate) fn reply(&mut self, call: u32, reply: &Reply<'_>) {
        let Some(index) = self.connections.iter().position(|connection| connection.call == Some(call)) else {
            return;
        };
        let more = matches!(reply, Reply::Messages { more: true, .. } | Reply::Members { more: true, .. });
        if let Some(connection) = self.connections.get_mut(index) {
            let sent = send(connection, reply);
            if !more {
                connection.call = None;
            }
            // A helper that does not read what it asked for sees its connection end.
            if sent.is_err() {
                self.end(index);
            }
        }
    }
}

/// Makes a socket that packets come through, whose connections are streams of them.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn packet_socket() -> Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Listens at `path`, for the owner alone. What was left there is removed.
///
/// # Errors
/// The errno of the system call that failed; `ENAMETOOLONG` for a path of more than 107 bytes.
pub(crate) fn listen(path: &CStr) -> Result<OwnedFd> {
    text_file::remove(path)?;
    let listener = packet_socket()?;
    let umask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = SocketAddrUnix::new(path).and_then(|address| rustix::net::bind(&listener, &address));
    rustix::process::umask(umask);
    bound?;
    rustix::net::listen(&listener, MAX_CONNECTIONS as i32)?;
    Ok(listener)
}

fn send(connection: &Connection, reply: &Reply<'_>) -> Result<()> {
    let mut buffer = [0; MAX_MESSAGE];
    let packet = postcard::to_slice(reply, &mut buffer).map_err(|_| Errno::MSGSIZE)?;
    rustix::net::send(&connection.fd, packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
    Ok(())
}
