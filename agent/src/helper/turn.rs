//! Turns: helpers on one board that must not work at the same time, such as those of several SSH connections.

use core::ffi::CStr;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, fcntl_lock};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::SocketAddrUnix;

use crate::clock;
use crate::socket::packet_socket;

/// How often a lock of another program is looked at, in milliseconds: it tells nobody when it is released.
const INTERVAL_MS: u64 = 500;

/// A turn; over when it is dropped, or when its process ends in whatever way.
///
/// A name in the abstract namespace of Unix sockets is a lock that needs no file system. Whoever waits for it is
/// connected to its holder, and sees that connection end.
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not used")] OwnedFd);

impl Turn {
    /// Takes the turn of this name; calls `wait` each time that somebody else has it.
    ///
    /// # Errors
    /// `ETIMEDOUT` if it is not free until `deadline_ms`, on the clock of [`clock::monotonic_ms`], or the errno of the
    /// system call that failed.
    pub(crate) fn take(name: &[u8], deadline_ms: u64, wait: &mut dyn FnMut()) -> Result<Self> {
        let address = SocketAddrUnix::new_abstract_name(name)?;
        loop {
            let own = packet_socket()?;
            match rustix::net::bind(&own, &address) {
                Ok(()) => {
                    rustix::net::listen(&own, i32::MAX)?;
                    return Ok(Self(own));
                }
                Err(Errno::ADDRINUSE) => {}
                Err(errno) => return Err(errno),
            }
            let left_ms = left(deadline_ms)?;
            match retry_on_intr(|| rustix::net::connect(&own, &address)) {
                Ok(()) => {
                    wait();
                    // Nothing is ever sent: an event is the end.
                    poll_for(&mut [PollFd::new(&own, PollFlags::IN)], left_ms)?;
                }
                // By a holder that has gone, or does not listen yet.
                Err(Errno::CONNREFUSED) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Waits until no process holds an `fcntl` lock on a file; calls `wait` once if one does.
///
/// A file that is not there, or that this process may not write, is not waited for.
///
/// # Errors
/// `ETIMEDOUT` if it is not free until `deadline_ms`.
pub(crate) fn wait_for_file(path: &CStr, deadline_ms: u64, wait: &mut dyn FnMut()) -> Result<()> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else {
        return Ok(());
    };
    let mut told = false;
    // Given back when the file is closed, which is before anybody else wants it.
    while let Err(Errno::AGAIN | Errno::ACCESS) = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)
    {
        if !core::mem::replace(&mut told, true) {
            wait();
        }
        poll_for(&mut [], left(deadline_ms)?.min(INTERVAL_MS))?;
    }
    Ok(())
}

fn left(deadline_ms: u64) -> Result<u64> {
    deadline_ms.checked_sub(clock::monotonic_ms()).filter(|left| *left > 0).ok_or(Errno::TIMEDOUT)
}

/// Waits for an event, or until the time is over.
fn poll_for(fds: &mut [PollFd<'_>], timeout_ms: u64) -> Result<()> {
    match poll(fds, Some(&clock::timespec(timeout_ms))) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
