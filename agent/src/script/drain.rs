//! What reads the output of processes that a script has left behind.
//!
//! A pipe that nobody reads ends whoever prints into it (SIGPIPE), and a daemon that one definition starts is there for the
//! next ones. So a process of its own reads what comes and throws it away, until nobody holds the other end any more. It
//! is nobody's child, and outlives the agent as they do.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::retry_on_intr;

use crate::program;
use crate::runtime::{self, Forked};
use crate::stdio;

/// Has `output` read, if anybody holds its other end.
pub(super) fn begin(output: &OwnedFd) {
    if !is_held(output) {
        return;
    }
    // Without it they end at their next word, which is no reason for the agent to end.
    match runtime::fork() {
        Ok(Forked::Child) => {
            if matches!(runtime::fork(), Ok(Forked::Child)) {
                drain(output);
            }
            stdio::exit(0)
        }
        Ok(Forked::Parent(child)) => {
            let _ = program::wait(child);
        }
        Err(_) => {}
    }
}

fn is_held(output: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(output, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)) == Ok(0)
}

/// Reads until the end, and holds nothing else meanwhile.
fn drain(output: &OwnedFd) {
    runtime::close_all_but(&[output.as_raw_fd()]);
    let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    // The link's descriptors must not stay open here, nor the console's.
    if let Ok(null) = null
        && program::redirect(null.as_fd(), null.as_fd(), null.as_fd()).is_ok()
        && rustix::process::setsid().is_ok()
        && rustix::fs::fcntl_setfl(output, OFlags::empty()).is_ok()
    {
        let mut buffer = [0; 4096];
        while matches!(retry_on_intr(|| rustix::io::read(output, &mut buffer[..])), Ok(1..)) {}
    }
}
