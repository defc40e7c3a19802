//! `lava-background-process-start` and `lava-background-process-stop`.
//!
//! ```text
//!   start ──fork──▶ keeper ──fork──▶ waiter ──fork──▶ the command
//!                     ▲ ▲               │ waitpid
//!   stop ──connects───┘ └───────────────┘ pipe, closed at the command's end
//! ```
//!
//! As with LAVA, a command that ends is started again, a second after its last start. LAVA's loop starts another one each
//! second whether or not the last has ended, needs bash, and `stop` ends the loop alone. Here there is one at a time, and
//! keeper, waiter and command are a process group that ends as a whole: at `stop`, or with the agent. What the command
//! prints goes into `background-NAME.log` beside the agent, because it may outlive the step's output.
//!
//! The keeper is known by a socket beside the agent's, which nobody but the job's user can reach. No file tells its process, so
//! none can be forged, and a name is free again when its keeper has gone in whatever way.

use heapless::Vec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_current_process_group};

use crate::clock;
use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client::NO_RUN;
use crate::helper::turn::Turn;
use crate::invocation::Invocation;
use crate::path::{PathText, agent_directory};
use crate::program::{self, Command};
use crate::runtime::{self, Forked};
use crate::socket::{self, PROCESS_VARIABLE};
use crate::{stdio, text_file};

/// Shortest time between two starts of a command, in milliseconds.
const PERIOD_MS: u64 = 1_000;

/// How often a keeper looks whether its agent is still there, in milliseconds: nothing would tell it on every Linux.
const INTERVAL_MS: u64 = 1_000;

/// How long a command has between SIGTERM and SIGKILL, in milliseconds.
const GRACE_MS: u64 = 5_000;

/// How long `stop` waits for all that, in milliseconds.
const STOP_MS: u64 = 15_000;

const TOO_DEEP: Failure = Failure::Plain("the agent's directory is too deep");

/// Longest name of a background process, in bytes.
const MAX_NAME: usize = 32;

pub(crate) fn start(context: &Context<'_>) -> Result<u8, Failure> {
    let invocation = context.invocation;
    let [name, "--cmd", _, ..] = context.arguments else {
        return Err(Failure::Usage("a name, --cmd and a command are needed"));
    };
    // The program's own name comes first.
    let words = invocation.arguments.get(3..).unwrap_or_default();
    let command = Command::new(invocation, words).ok_or(Failure::Usage("too many words"))?;
    let directory = agent_directory(invocation).ok_or(NO_RUN)?;
    let keeper = path(directory, name, ".sock")?;
    let agent = invocation.variable(PROCESS_VARIABLE).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    let agent = agent.ok_or(NO_RUN)?;
    let _turn = Turn::take(b"host-runner/background", clock::monotonic_ms() + STOP_MS, &mut || ());
    // A socket of another type is refused by one that is there, and does not disturb it.
    if connect(&keeper, SocketType::DGRAM).err() == Some(Errno::PROTOTYPE) {
        return Err(Failure::Plain("a background process of that name runs already"));
    }
    let listener = socket::listen(keeper.as_c_str()).map_err(Failure::system("cannot take the name"))?;
    let log = path(directory, name, ".log")?;
    let log = text_file::create(log.as_c_str()).map_err(Failure::system("cannot make the log"))?;
    match runtime::fork().map_err(Failure::system("cannot start a process"))? {
        Forked::Parent(_) => Ok(0),
        Forked::Child => {
            runtime::close_all_but(&[listener.as_raw_fd(), log.as_raw_fd()]);
            if detach(log.as_fd()).is_ok() {
                Keeper { invocation, command: &command, listener, agent }.run();
            }
            stdio::exit(1)
        }
    }
}

/// Stops a background process and waits until it has ended.
pub(crate) fn stop(context: &Context<'_>) -> Result<u8, Failure> {
    let [name] = context.arguments else {
        return Err(Failure::Usage("one name"));
    };
    let keeper = path(agent_directory(context.invocation).ok_or(NO_RUN)?, name, ".sock")?;
    let socket = match connect(&keeper, SocketType::SEQPACKET) {
        Err(Errno::CONNREFUSED | Errno::NOENT) => {
            return Err(Failure::Plain("no background process of that name runs"));
        }
        other => other.map_err(Failure::system("cannot reach the background process"))?,
    };
    // Nothing is ever sent: an event is the keeper's end.
    let timeout = clock::timespec(STOP_MS);
    match poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&timeout)) {
        Ok(0) => Err(Failure::Plain("the background process has not ended within 15 s")),
        ended => ended.map(|_| 0).map_err(Failure::system("cannot wait for the background process")),
    }
}

/// What a background process has in the agent's directory.
fn path(directory: &str, name: &str, extension: &str) -> Result<PathText, Failure> {
    if !is_name(name) {
        return Err(Failure::Usage("a name is up to 32 letters, digits, `.`, `_` and, not in front, `-`"));
    }
    let parts = [directory.as_bytes(), b"/background-", name.as_bytes(), extension.as_bytes()];
    PathText::join(&parts).ok_or(TOO_DEEP)
}

/// Connects to a keeper.
fn connect(keeper: &PathText, kind: SocketType) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(keeper.as_c_str())?)?;
    Ok(socket)
}

fn is_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(is_fit)
}

/// Leaves the step: a session and process group of its own, and no descriptor of the step's.
fn detach(log: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::process::setsid()?;
    let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    program::redirect(null.as_fd(), log, log)
}

/// What keeps a command running.
struct Keeper<'a> {
    invocation: &'a Invocation<'a>,
    command: &'a Command<'a>,
    /// Where `stop` connects.
    listener: OwnedFd,
    /// The agent, which the command must not outlive.
    agent: Pid,
}

/// What a keeper's wait ended with.
#[derive(PartialEq, Eq)]
enum Event {
    /// The command has ended, or the time has come.
    Next,
    /// Nobody wants the command any more.
    Stop,
}

impl Keeper<'_> {
    /// Returns only if the command cannot be started.
    fn run(&self) {
        // Signals to the group reach this process as well, which must see the others end.
        runtime::survive_termination(true);
        loop {
            let next_ms = clock::monotonic_ms().saturating_add(PERIOD_MS);
            let Ok((ended, waiter)) = self.start() else { return };
            if self.wait(Some(&ended), u64::MAX) == Event::Stop {
                end_group(&ended);
            }
            let _ = program::wait(waiter);
            if self.wait(None, next_ms) == Event::Stop {
                end_group(&ended);
            }
        }
    }

    /// Starts the command; returns a pipe that is closed at its end, and the process that waits for it.
    fn start(&self) -> rustix::io::Result<(OwnedFd, Pid)> {
        let (ended, running) = pipe_with(PipeFlags::CLOEXEC)?;
        match runtime::fork()? {
            Forked::Parent(waiter) => Ok((ended, waiter)),
            Forked::Child => {
                runtime::close_all_but(&[running.as_raw_fd()]);
                let prepare = || {
                    runtime::survive_termination(false);
                    Ok(())
                };
                let Command { path, arguments } = self.command;
                let command = program::spawn(prepare, path.as_c_str(), arguments, self.invocation.variables);
                let _ = command.and_then(program::wait);
                stdio::exit(0)
            }
        }
    }

    /// Waits for the command's end, or until `until_ms` on the clock of [`clock::monotonic_ms`].
    fn wait(&self, ended: Option<&OwnedFd>, until_ms: u64) -> Event {
        loop {
            let left_ms = until_ms.saturating_sub(clock::monotonic_ms());
            if left_ms == 0 {
                return Event::Next;
            }
            let mut fds: Vec<PollFd<'_>, 2> = Vec::new();
            for fd in [Some(&self.listener), ended].into_iter().flatten() {
                let _ = fds.push(PollFd::new(fd, PollFlags::IN));
            }
            let polled = poll(&mut fds, Some(&clock::timespec(left_ms.min(INTERVAL_MS))));
            let happened = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
            let agent_has_gone = rustix::process::test_kill_process(self.agent) == Err(Errno::SRCH);
            if happened(0) || agent_has_gone || !matches!(polled, Ok(_) | Err(Errno::INTR)) {
                return Event::Stop;
            }
            if happened(1) {
                return Event::Next;
            }
        }
    }
}

/// Ends the keeper's process group, itself included, once the command has ended or had its time to.
fn end_group(ended: &OwnedFd) -> ! {
    let _ = kill_current_process_group(Signal::TERM);
    let _ = poll(&mut [PollFd::new(ended, PollFlags::IN)], Some(&clock::timespec(GRACE_MS)));
    let _ = kill_current_process_group(Signal::KILL);
    stdio::exit(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_a_file() {
        for name in ["MON", "a.b_c-1", "x".repeat(32).as_str()] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-x", "a/b", "a b", "x\n", "ü", "x".repeat(33).as_str()] {
            assert!(!is_name(name), "{name}");
        }
    }
}
