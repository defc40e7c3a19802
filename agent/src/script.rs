//! A script that runs for the runner: its processes, its output, its end.
//!
//! ```text
//!   agent ──fork──▶ waiter ──fork──▶ shell (own session and process group)
//!     ▲ reports        │ waitpid       │ stdin: /dev/null
//!     ├────────────────┘               │
//!     └────────────────────────────────┘ output (stdout and stderr)
//! ```
//!
//! The waiter turns the shell's end into something to poll for, which needs no signal handler and works on every Linux.

use core::ffi::CStr;

use protocol::agent_to_host::ExitStatus;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};

use crate::invocation::{Invocation, MAX_VARIABLES};
use crate::path::{self, PathText};
use crate::receive_file::joined;
use crate::runtime::{self, Forked};
use crate::{environment, program, stdio};

/// How long a process group has between SIGTERM and SIGKILL, in milliseconds.
const GRACE_MS: u64 = 5_000;

/// What to run, and with what around it.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a> {
    /// The agent's directory.
    pub(crate) directory: &'a str,
    /// How the agent was called; its environment is the script's, with the agent's own additions.
    pub(crate) invocation: &'a Invocation<'a>,
    /// The agent's process.
    pub(crate) process: Pid,
    /// What the link runs over, for the helpers.
    pub(crate) link: &'static str,
    /// The runner's number for the script.
    pub(crate) run: u32,
    /// Path of the script below the directory.
    pub(crate) script: &'a str,
    /// Absolute path of the shell.
    pub(crate) shell: &'a str,
    /// Whether the shell ends at the first failing command.
    pub(crate) errexit: bool,
    /// When to kill it, on the clock of [`monotonic_ms`](crate::clock::monotonic_ms).
    pub(crate) deadline_ms: u64,
}

/// A script that was started.
pub(crate) struct Script {
    run: u32,
    waiter: Pid,
    output: OwnedFd,
    reports: OwnedFd,
    /// The shell's process group, once it runs.
    group: Option<Pid>,
    /// Why the agent ends it.
    ending: Option<ExitStatus>,
    /// When SIGTERM was too polite, or the time is over.
    deadline_ms: u64,
    /// How it ended.
    ended: Option<ExitStatus>,
}

/// What the waiter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The shell runs.
    Started,
    /// The shell could not be executed; the errno says why.
    NotStarted(u16),
    /// The script has ended, or nothing can be known of it any more.
    Ended,
}

/// What reading the script's output gave.
pub(crate) enum Output {
    /// This many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// Nothing any more.
    End,
}

impl Script {
    /// Starts the waiter, which starts the shell and reports.
    ///
    /// # Errors
    /// `EINVAL` for a script outside the agent's directory or a shell that is no absolute path, or the errno of the
    /// system call that failed.
    pub(crate) fn start(order: &Order<'_>) -> Result<Self> {
        if !path::stays_below(order.script) || !order.shell.starts_with('/') {
            return Err(Errno::INVAL);
        }
        let script = joined(order.directory, order.script)?;
        let shell = PathText::join(&[order.shell.as_bytes()]).ok_or(Errno::NAMETOOLONG)?;
        let (output, output_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let (reports, reports_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        for fd in [&output, &reports] {
            rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK)?;
        }
        let waiter = match runtime::fork()? {
            Forked::Child => {
                runtime::close_all_but(&[output_writer.as_raw_fd(), reports_writer.as_raw_fd()]);
                wait_for_shell(
                    order,
                    shell.as_c_str(),
                    script.as_c_str(),
                    output_writer,
                    reports_writer.as_fd(),
                )
            }
            Forked::Parent(waiter) => waiter,
        };
        Ok(Self {
            run: order.run,
            waiter,
            output,
            reports,
            group: None,
            ending: None,
            deadline_ms: order.deadline_ms,
            ended: None,
        })
    }

    /// Returns the runner's number for the script.
    pub(crate) const fn run(&self) -> u32 {
        self.run
    }

    /// Returns what the script prints to; nothing is to be read from it before the script has started.
    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.group.map(|_| self.output.as_fd())
    }

    /// Returns where the waiter reports, until the script has ended.
    pub(crate) fn reports(&self) -> Option<BorrowedFd<'_>> {
        self.ended.is_none().then(|| self.reports.as_fd())
    }

    /// Returns how the script ended, once it has.
    pub(crate) const fn ended(&self) -> Option<ExitStatus> {
        self.ended
    }

    /// Takes one report of the waiter, if there is one.
    pub(crate) fn read_report(&mut self) -> Option<Report> {
        let mut record = [0; Record::SIZE];
        match rustix::io::read(&self.reports, &mut record) {
            Err(Errno::AGAIN | Errno::INTR) => None,
            Ok(Record::SIZE) => self.take(Record::from_bytes(record)),
            // The waiter was killed: nothing more will be known.
            _ => {
                self.ended = Some(self.ending.unwrap_or(ExitStatus::Killed));
                Some(Report::Ended)
            }
        }
    }

    fn take(&mut self, record: Record) -> Option<Report> {
        match record {
            Record::Started(pid) => {
                self.group = Pid::from_raw(pid);
                if self.ending.is_some() {
                    self.signal(Signal::TERM);
                }
                Some(Report::Started)
            }
            Record::NotStarted(errno) => Some(Report::NotStarted(u16::try_from(errno).unwrap_or(u16::MAX))),
            Record::Ended(status) => {
                self.ended = Some(self.ending.unwrap_or_else(|| exit_status(status)));
                if self.ending.is_some() {
                    self.signal(Signal::KILL);
                }
                Some(Report::Ended)
            }
            Record::Unknown => None,
        }
    }

    /// Reads what the script has printed.
    pub(crate) fn read_output(&self, buffer: &mut [u8]) -> Output {
        match rustix::io::read(&self.output, buffer) {
            Err(Errno::AGAIN | Errno::INTR) => Output::Nothing,
            Ok(0) | Err(_) => Output::End,
            Ok(count) => Output::Bytes(count),
        }
    }

    /// Asks the script's process group to end, and makes it after a grace period.
    pub(crate) fn terminate(&mut self, why: ExitStatus, now_ms: u64) {
        if self.ending.is_none() && self.ended.is_none() {
            self.ending = Some(why);
            self.deadline_ms = now_ms.saturating_add(GRACE_MS);
            self.signal(Signal::TERM);
        }
    }

    /// Returns when [`Self::handle_timeout`] is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.ended.is_none().then_some(self.deadline_ms)
    }

    /// Ends what has run too long.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64) {
        if self.ended.is_some() || now_ms < self.deadline_ms {
            return;
        }
        if self.ending.is_none() {
            self.terminate(ExitStatus::TimedOut, now_ms);
        } else {
            self.signal(Signal::KILL);
            self.deadline_ms = now_ms.saturating_add(GRACE_MS);
        }
    }

    /// Kills the whole process group at once: the link is gone, and with it everybody who would want the rest.
    pub(crate) fn abort(mut self) {
        let known = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
        while self.group.is_none() && self.ended.is_none() {
            let mut reports = [rustix::event::PollFd::new(&self.reports, rustix::event::PollFlags::IN)];
            if rustix::event::poll(&mut reports, Some(&known)) == Ok(0) {
                break;
            }
            if matches!(self.read_report(), Some(Report::NotStarted(_))) {
                break;
            }
        }
        self.signal(Signal::KILL);
        self.reap();
    }

    /// Takes the ended waiter off the process table.
    pub(crate) fn reap(self) {
        let _ = program::wait(self.waiter);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The group may be gone already, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

fn exit_status(raw: i32) -> ExitStatus {
    // Linux's encoding (wait(2)): signal in the low seven bits, or exit code in the second byte.
    match raw & 0x7f {
        0 => ExitStatus::Code((raw >> 8 & 0xff) as u8),
        signal => ExitStatus::Signal(signal as u8),
    }
}

/// One report on the pipe from the waiter: a tag and a number. Shorter than `PIPE_BUF`, so it is never split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    Started(i32),
    NotStarted(i32),
    Ended(i32),
    Unknown,
}

impl Record {
    const SIZE: usize = 5;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let (tag, number) = match self {
            Self::Started(pid) => (1, pid),
            Self::NotStarted(errno) => (2, errno),
            Self::Ended(status) => (3, status),
            Self::Unknown => (0, 0),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [tag, a, b, c, d]
    }

    fn from_bytes([tag, number @ ..]: [u8; Self::SIZE]) -> Self {
        let number = i32::from_le_bytes(number);
        match tag {
            1 => Self::Started(number),
            2 => Self::NotStarted(number),
            3 => Self::Ended(number),
            _ => Self::Unknown,
        }
    }
}

/// The waiter's whole life.
fn wait_for_shell(
    order: &Order<'_>,
    shell: &CStr,
    script: &CStr,
    output: OwnedFd,
    reports: BorrowedFd<'_>,
) -> ! {
    let report = |record: Record| {
        let _ = stdio::write_all(reports, &record.to_bytes());
    };
    match start_shell(order, shell, script, output) {
        Err(errno) => report(Record::NotStarted(errno.raw_os_error())),
        Ok(pid) => {
            report(Record::Started(pid.as_raw_nonzero().get()));
            // Without a status the pipe's end tells that nothing is known.
            if let Ok(status) = program::wait(pid) {
                report(Record::Ended(WaitStatus::as_raw(status)));
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
        environment::Additions::new(order.invocation, order.directory, order.process, order.link)
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
        for record in [Record::Started(4711), Record::NotStarted(2), Record::Ended(0x0300)] {
            assert_eq!(Record::from_bytes(record.to_bytes()), record);
        }
    }

    #[test]
    fn exit_codes_and_signals_are_told_apart() {
        assert_eq!(exit_status(0), ExitStatus::Code(0));
        assert_eq!(exit_status(0x0300), ExitStatus::Code(3));
        assert_eq!(exit_status(0x000b), ExitStatus::Signal(11));
        assert_eq!(exit_status(0x0086), ExitStatus::Signal(6), "with a core dump");
    }
}
