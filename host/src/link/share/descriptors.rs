//! A line of text with descriptors beside it, by `SCM_RIGHTS` of unix(7).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::board::lease::MAX_DESCRIPTORS;

/// Room for that many descriptors.
const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// Sends `text` with `descriptors` beside its first byte; what a socket takes at once is longer than any text of ours.
///
/// # Errors
/// Those of sendmsg(2), and a text that was cut.
pub(super) fn send(socket: impl AsFd, text: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(io::Error::other(format!("more than {MAX_DESCRIPTORS} descriptors")));
    }
    let count = sendmsg(socket, &[IoSlice::new(text)], &mut beside, SendFlags::NOSIGNAL)?;
    if count < text.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}

/// Receives at most `room` bytes, and adds descriptors that are beside them to `descriptors`; nothing is the end.
///
/// # Errors
/// Those of recvmsg(2), and more descriptors than anybody sends.
pub(super) fn receive(
    socket: impl AsFd,
    room: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(room)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other(format!("more than {MAX_DESCRIPTORS} descriptors came")));
    }
    Ok(received.bytes)
}
