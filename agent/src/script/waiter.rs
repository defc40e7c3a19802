//! The waiter: a process between the agent and the shell, which starts the one and reports to the other.

use core::ffi::CStr;

use protocol::agent_to_host::Usage;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use super::Order;
use crate::invocation::MAX_VARIABLES;
use crate::path::PathText;
use crate::runtime::{self, Forked};
use crate::{environment, program, stdio};

/// One report on the pipe from the waiter: a tag and numbers. Shorter than `PIPE_BUF`, so it is never split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Started(i32),
    NotStarted(i32),
    Ended(i32, Usage),
    Unknown,
}

/// A report as it goes through the pipe: words, each in the machine's order of bytes.
pub(super) type Words = [[u8; 4]; 5];

impl Record {
    pub(super) fn to_words(self) -> Words {
        let (tag, number, usage) = match self {
            Self::Started(pid) => (1_i32, pid, Usage::default()),
            Self::NotStarted(errno) => (2, errno, Usage::default()),
            Self::Ended(status, usage) => (3, status, usage),
            Self::Unknown => (0, 0, Usage::default()),
        };
        let Usage { user_ms, system_ms, max_rss_kib } = usage;
        let [user_ms, system_ms, max_rss_kib] = [user_ms, system_ms, max_rss_kib].map(u32::to_ne_bytes);
        [tag.to_ne_bytes(), number.to_ne_bytes(), user_ms, system_ms, max_rss_kib]
    }

    pub(super) fn from_words([tag, number, usage @ ..]: Words) -> Self {
        let number = i32::from_ne_bytes(number);
        let [user_ms, system_ms, max_rss_kib] = usage.map(u32::from_ne_bytes);
        match i32::from_ne_bytes(tag) {
            1 => Self::Started(number),
            2 => Self::NotStarted(number),
            3 => Self::Ended(number, Usage { user_ms, system_ms, max_rss_kib }),
            _ => Self::Unknown,
        }
    }
}

/// The waiter's whole life.
pub(super) fn wait_for_shell(
    order: &Order<'_>,
    shell: &CStr,
    script: &CStr,
    output: OwnedFd,
    reports: BorrowedFd<'_>,
) -> ! {
    let report = |record: Record| {
        let _ = stdio::write_all(reports, record.to_words().as_flattened());
    };
    match start_shell(order, shell, script, output) {
        Err(errno) => report(Record::NotStarted(errno.raw_os_error())),
        Ok(pid) => {
            report(Record::Started(pid.as_raw_nonzero().get()));
            // Without a status the pipe's end tells that nothing is known.
            if let Ok(ended) = program::wait(pid) {
                report(Record::Ended(ended.status, ended.usage));
            }
        }
    }
    stdio::exit(0)
}

/// Starts the shell and returns once it is executed, or is known not to be.
fn start_shell(order: &Order<'_>, shell: &CStr, script: &CStr, output: OwnedFd) -> Result<Pid> {
    let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    // The link's descriptors must not stay open here when the agent has gone.
    program::redirect(null.as_fd(), null.as_fd(), null.as_fd())?;
    let (failure, failure_writer) = pipe_with(PipeFlags::CLOEXEC)?;
    match runtime::fork()? {
        Forked::Child => {
            let errno = become_shell(order, shell, script, null.as_fd(), output.as_fd());
            let _ = stdio::write_all(failure_writer.as_fd(), &errno.raw_os_error().to_le_bytes());
            stdio::exit(program::EXIT_NOT_RUN)
        }
        Forked::Parent(pid) => {
            drop((failure_writer, output));
            let mut errno = [0; 4];
            match retry_on_intr(|| rustix::io::read(&failure, &mut errno))? {
                // Closed by a successful exec.
                0 => Ok(pid),
                _ => Err(Errno::from_raw_os_error(i32::from_le_bytes(errno))),
            }
        }
    }
}

/// Turns the process into the shell; returns only if that failed.
fn become_shell(
    order: &Order<'_>,
    shell: &CStr,
    script: &CStr,
    null: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
) -> Errno {
    let Some(directory) = PathText::join(&[order.directory.as_bytes()]) else {
        return Errno::NAMETOOLONG;
    };
    let prepared = rustix::process::setsid()
        .and_then(|_| rustix::process::chdir(directory.as_c_str()))
        .and_then(|()| program::redirect(null, output, output));
    if let Err(errno) = prepared {
        return errno;
    }
    runtime::unshield();
    let Some(additions) =
        environment::Additions::new(order.invocation, order.directory, order.process, order.link, order.run)
    else {
        return Errno::TOOBIG;
    };
    let Some(variables) = additions.merge::<{ MAX_VARIABLES + 8 }>(order.invocation) else {
        return Errno::TOOBIG;
    };
    let words: &[&CStr] = if order.errexit { &[shell, c"-e", script] } else { &[shell, script] };
    runtime::exec(shell, words, &variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_pipe() {
        let usage = Usage { user_ms: 1, system_ms: 0x0203_0405, max_rss_kib: u32::MAX };
        for record in [Record::Started(4711), Record::NotStarted(2), Record::Ended(-0x0300, usage)] {
            assert_eq!(Record::from_words(record.to_words()), record);
        }
    }
}
