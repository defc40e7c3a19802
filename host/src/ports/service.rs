//! The port service: binds the ports that boards ask at for users who may not, and hands the sockets over.
//!
//! It knows no addresses, no boards and no jobs, reads no file and keeps no port: what it has handed over is the asker's alone.
//! Who may ask is decided by the mode of its socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{SocketFlags, accept_with};

use super::request::{Answer, MAX_PACKET, Refusal, Request, make_socket};
use crate::packet;

/// How long an asker may take for its request, and for taking the answer. Nobody else is served meanwhile.
const ASKER_TIME: Duration = Duration::from_secs(1);

/// Most bytes of what is told of a packet that is no request.
pub(super) const MAX_REASON: usize = 100;

/// Serves whoever connects to `listener`, one after the other, until nobody has for `idle`. `tell` is told a line of each.
///
/// # Errors
/// Those of the listening socket.
pub(crate) fn serve(listener: &OwnedFd, idle: Duration, mut tell: impl FnMut(&str)) -> io::Result<()> {
    while is_asked_within(listener, idle)? {
        match accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(asker) => {
                let who = who(&asker);
                match handle(&asker) {
                    Ok(Some(said)) => tell(&format!("{said}, for {who}")),
                    // It has only looked whether somebody listens.
                    Ok(None) => {}
                    Err(error) => tell(&format!("nothing for {who}: {error}")),
                }
            }
            // It is gone again, or another process of this service has it.
            Err(Errno::CONNABORTED | Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_asked_within(listener: &OwnedFd, idle: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(idle).map_err(io::Error::other)?;
    loop {
        match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers one request; returns what is to be told of it.
fn handle(asker: &OwnedFd) -> io::Result<Option<String>> {
    for kind in [Timeout::Recv, Timeout::Send] {
        set_socket_timeout(asker, kind, Some(ASKER_TIME))?;
    }
    let request = match packet::receive::<Request>(asker, MAX_PACKET) {
        Ok(Some((request, _))) => request,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let text = format!("it has asked for nothing within {} s", ASKER_TIME.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        Err(error) => {
            let reason: String = error.to_string().chars().filter(char::is_ascii).take(MAX_REASON).collect();
            let said = format!("a packet that is no request ({reason})");
            answer(asker, &Answer::Refused(Refusal::Malformed { reason }), &[])?;
            return Ok(Some(said));
        }
    };
    let what = format!("{} {}", request.protocol, request.address);
    match request.check().and_then(|()| made(&request)) {
        Ok(socket) => {
            answer(asker, &Answer::Socket, &[socket])?;
            Ok(Some(what))
        }
        Err(refusal) => {
            let said = format!("not {what}: {refusal}");
            answer(asker, &Answer::Refused(refusal), &[])?;
            Ok(Some(said))
        }
    }
}

fn answer(asker: &OwnedFd, answer: &Answer, fds: &[OwnedFd]) -> io::Result<()> {
    match packet::send(asker, answer, fds, MAX_PACKET) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let text = format!("it has not taken the answer within {} s", ASKER_TIME.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
        sent => sent,
    }
}

/// The socket, as the asker would have made it.
fn made(request: &Request) -> Result<OwnedFd, Refusal> {
    make_socket(request).map_err(|errno| Refusal::System { errno: errno.raw_os_error() })
}

/// Who asks, for the journal.
fn who(asker: impl AsFd) -> String {
    match socket_peercred(asker) {
        Ok(peer) => format!("user {} (process {})", peer.uid.as_raw(), peer.pid.as_raw_pid()),
        Err(_) => "somebody".to_owned(),
    }
}
