//! Packets between processes of this PC: one JSON value each, with file descriptors beside it (unix(7), `SCM_RIGHTS`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most file descriptors in one packet: standard streams and lifeline of a process.
pub(crate) const MAX_FDS: usize = 4;

/// Sends `message`, which may have `limit` bytes, and `fds` (at most [`MAX_FDS`]) as one packet of a `SOCK_SEQPACKET` socket.
///
/// # Errors
/// `WouldBlock` on a non-blocking socket whose buffer is full, or after the socket's time limit; `InvalidInput` for a longer
/// message or too many descriptors.
pub(crate) fn send<T: Serialize>(
    socket: impl AsFd,
    message: &T,
    fds: &[OwnedFd],
    limit: usize,
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > limit {
        let text = format!("request of {} bytes; {limit} are allowed", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many file descriptors in one request"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one packet of at most `limit` bytes; `None` at the end of the connection.
///
/// # Errors
/// `WouldBlock` on a non-blocking socket without a packet, or after the socket's time limit; `InvalidData` for a packet that
/// is longer or not a `T`.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
    limit: usize,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; limit];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let fds: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "packet longer than allowed"));
    }
    bytes.truncate(received.bytes);
    Ok(Some((serde_json::from_slice(&bytes)?, fds)))
}
