//! A script that runs for the runner: its processes, its output, its end.
//!
//! ```text
//!   agent ──fork──▶ waiter ──fork──▶ shell (own session and process group)
//!     ▲ reports        │ wait4         │ stdin: /dev/null
//!     ├────────────────┘               │
//!     └────────────────────────────────┘ output (stdout and stderr)
//! ```
//!
//! The waiter turns the shell's end into something to poll for, which needs no signal handler and works on every Linux.

mod drain;
mod step;
mod waiter;

use protocol::agent_to_host::{ExitStatus, Usage};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::{Errno, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

pub(crate) use self::step::NextStep;
use self::step::Owed;
use self::waiter::Record;
use crate::invocation::Invocation;
use crate::path::{self, PathText};
use crate::program;
use crate::receive_file::joined;
use crate::runtime::{self, Forked};

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
    pub(crate) link: &'a str,
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
    /// Whether nothing holds the other end of `output` any more, which polling would tell again and again.
    is_silent: bool,
    reports: OwnedFd,
    /// The shell's process group, once it runs.
    group: Option<Pid>,
    /// Why the agent ends it.
    ending: Option<ExitStatus>,
    /// When SIGTERM was too polite, or the time is over.
    deadline_ms: u64,
    /// When the time of the step that it is in is over.
    step_deadline_ms: Option<u64>,
    /// The step that it wants to begin.
    next_step: Option<NextStep>,
    /// What is still to be taken of its output before its next step or its end is told.
    owed: Option<Owed>,
    /// What it used, once it has ended and that is known.
    usage: Option<Usage>,
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
                waiter::wait_for_shell(
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
            is_silent: false,
            reports,
            group: None,
            ending: None,
            deadline_ms: order.deadline_ms,
            step_deadline_ms: None,
            next_step: None,
            owed: None,
            usage: None,
            ended: None,
        })
    }

    /// Returns the runner's number for the script.
    pub(crate) const fn run(&self) -> u32 {
        self.run
    }

    /// Returns what the script prints to, until its end was read; nothing is to be read from it before the script has
    /// started.
    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.group.filter(|_| !self.is_silent).map(|_| self.output.as_fd())
    }

    /// Returns where the waiter reports, until the script has ended.
    pub(crate) fn reports(&self) -> Option<BorrowedFd<'_>> {
        self.ended.is_none().then(|| self.reports.as_fd())
    }

    /// Returns how the script ended, once it has.
    pub(crate) const fn ended(&self) -> Option<ExitStatus> {
        self.ended
    }

    /// Returns how much of what the script has printed is still to be taken.
    pub(crate) fn unread(&self) -> u32 {
        Owed::of(&self.output).bytes()
    }

    /// Takes what the script used, once that is known.
    pub(crate) fn take_usage(&mut self) -> Option<Usage> {
        self.usage.take()
    }

    /// Takes one report of the waiter, if there is one.
    pub(crate) fn read_report(&mut self) -> Option<Report> {
        let mut words = waiter::Words::default();
        match rustix::io::read(&self.reports, words.as_flattened_mut()) {
            Err(Errno::AGAIN | Errno::INTR) => None,
            Ok(count) if count == size_of_val(&words) => self.take(Record::from_words(words)),
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
            Record::Ended(status, usage) => {
                self.usage = Some(usage);
                self.owed = Some(Owed::of(&self.output));
                self.next_step = None;
                self.ended = Some(self.ending.unwrap_or_else(|| exit_status(status)));
                if self.ending.is_some() {
                    self.signal(Signal::KILL);
                }
                Some(Report::Ended)
            }
            Record::Unknown => None,
        }
    }

    /// Reads what the script has printed, no further than to the step that it wants to begin, or to its end.
    pub(crate) fn read_output(&mut self, buffer: &mut [u8]) -> Output {
        let room = self.owed.map_or(buffer.len(), |owed| owed.room(buffer.len()));
        if room == 0 {
            return Output::Nothing;
        }
        let read = rustix::io::read(&self.output, buffer.get_mut(..room).unwrap_or_default());
        if let (Some(owed), Ok(count)) = (&mut self.owed, read) {
            owed.taken(count);
        }
        match read {
            Err(Errno::AGAIN | Errno::INTR) => Output::Nothing,
            Ok(0) | Err(_) => {
                self.is_silent = true;
                Output::End
            }
            Ok(count) => Output::Bytes(count),
        }
    }

    /// The script wants to begin a step, by a call that waits for the answer; whether that can be.
    pub(crate) fn announce_step(&mut self, call: u32, step: u16, timeout_s: u32) -> bool {
        if self.next_step.is_some() || self.ended.is_some() {
            return false;
        }
        self.next_step = Some(NextStep { call, step, timeout_s });
        self.owed = Some(Owed::of(&self.output));
        // The step before has done what it had to.
        self.step_deadline_ms = None;
        true
    }

    /// Begins the announced step if all output of the one before it was taken.
    pub(crate) fn begin_step(&mut self, now_ms: u64) -> Option<NextStep> {
        self.owed.filter(|owed| owed.room(1) == 0)?;
        let next = self.next_step.take()?;
        self.owed = None;
        self.step_deadline_ms = next.deadline_ms(now_ms);
        Some(next)
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
        let earliest = self.step_deadline_ms.map_or(self.deadline_ms, |step| step.min(self.deadline_ms));
        self.ended.is_none().then_some(earliest)
    }

    /// Ends what has run too long.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64) {
        if self.ended.is_some() {
            return;
        }
        if self.step_deadline_ms.take_if(|at| *at <= now_ms).is_some() {
            self.terminate(ExitStatus::StepTimedOut, now_ms);
        }
        if now_ms < self.deadline_ms {
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
        // It would wait for a shell that hangs in the kernel, or that is not known.
        let _ = kill_process(self.waiter, Signal::KILL);
        self.reap();
    }

    /// Parts with a script that has ended; processes that it has left behind can go on printing.
    pub(crate) fn leave(self) {
        drain::begin(&self.output);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_signals_are_told_apart() {
        assert_eq!(exit_status(0), ExitStatus::Code(0));
        assert_eq!(exit_status(0x0300), ExitStatus::Code(3));
        assert_eq!(exit_status(0x000b), ExitStatus::Signal(11));
        assert_eq!(exit_status(0x0086), ExitStatus::Signal(6), "with a core dump");
    }
}
