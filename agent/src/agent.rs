//! The agent at work: one loop over the link, the helpers and the running script.

use heapless::Vec;
use protocol::agent_to_host::ExitStatus;
use protocol::frame::Side;
use protocol::helper::{Call, Packet, Reply};
use protocol::limits::{MAX_CHUNK, MAX_MESSAGE};
use protocol::link::{Config, Link, LinkError, SendError, State};
use protocol::{AgentToHost, HostToAgent};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::clock;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::line::Line;
use crate::receive_file::{Reception, number};
use crate::script::{Order, Output, Report, Script};
use crate::socket::{Calls, Event, MAX_CONNECTIONS};

/// Silence after which the runner is taken for gone, in milliseconds.
const SILENCE_MS: u64 = 30_000;

/// Version and architecture of this build.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("AGENT_ARCH"));

/// What an agent works with.
pub(crate) struct Setting<'a> {
    /// How the program was called.
    pub(crate) invocation: &'a Invocation<'a>,
    /// The agent's directory.
    pub(crate) directory: &'a str,
    /// What the link runs over: `console`, `stdio`, `fifo` or `tcp`.
    pub(crate) link: &'a str,
    /// What the line carries, in bytes per second; `None` if it need not be paced.
    pub(crate) bytes_per_s: Option<u32>,
}

/// Why an agent ended before the runner told it to.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The line hung up, or cannot be made.
    Line,
    /// The link failed.
    Link(LinkError),
    /// The runner sent what this build does not know.
    Message,
    /// Waiting for anything to happen failed.
    Poll(Errno),
}

/// A running agent.
pub(crate) struct Agent<'a> {
    setting: Setting<'a>,
    link: Link,
    line: Line<'a>,
    calls: Calls<'a>,
    reception: Reception,
    script: Option<Script>,
    is_leaving: bool,
}

/// What has happened to the descriptors that the loop waits for.
#[derive(Default)]
struct Ready {
    input: bool,
    accept: bool,
    report: bool,
    calls: Vec<bool, MAX_CONNECTIONS>,
    /// Whether all of them were looked at: helpers are not while the link has no room for a call and what goes before it.
    is_complete: bool,
}

impl<'a> Agent<'a> {
    /// Prepares an agent, which greets the runner first of all.
    pub(crate) fn new(setting: Setting<'a>, line: Line<'a>, calls: Calls<'a>) -> Self {
        let config = Config {
            side: Side::Agent,
            id: clock::start_id(),
            bytes_per_s: setting.bytes_per_s,
            silence_ms: SILENCE_MS,
        };
        let link = Link::new(config, clock::monotonic_ms());
        Self { setting, link, line, calls, reception: Reception::default(), script: None, is_leaving: false }
    }

    /// Serves the runner until it says `Quit` or closes the link. No script outlives this.
    ///
    /// # Errors
    /// [`Lost`] if the runner is gone without a word.
    pub(crate) fn run(mut self) -> Result<(), Lost> {
        self.send(&AgentToHost::Ready { build: BUILD, unix_s: clock::unix_s() });
        let result = self.serve();
        if let Some(script) = self.script.take() {
            script.abort();
        }
        result
    }

    fn serve(&mut self) -> Result<(), Lost> {
        loop {
            let now_ms = clock::monotonic_ms();
            self.link.handle_timeout(now_ms);
            self.line.handle_timeout(now_ms).map_err(|_| Lost::Line)?;
            self.take_messages(now_ms)?;
            self.take_output(now_ms);
            if self.is_leaving || self.link.state() == State::Closing {
                self.leave(now_ms);
            }
            // An unwritten frame of a link that is done would be the last word to a runner that waits for it.
            let written = self.line.write(&mut self.link, now_ms);
            self.unless_lost(written, now_ms)?;
            match self.link.state() {
                State::Closed if !self.line.is_writing() => return Ok(()),
                State::Failed(error) => return Err(Lost::Link(error)),
                _ => {}
            }
            let ready = self.wait(now_ms).map_err(Lost::Poll)?;
            if ready.input {
                let now_ms = clock::monotonic_ms();
                let read = self.line.read(&mut self.link, now_ms);
                self.unless_lost(read, now_ms)?;
            }
            if ready.report {
                self.take_report();
            }
            self.take_calls(&ready.calls);
            if ready.accept {
                self.calls.accept();
            }
            // Only now is it known that the script has neither ended nor begun its next step in time.
            if let Some(script) = self.script.as_mut().filter(|_| ready.is_complete) {
                script.handle_timeout(clock::monotonic_ms());
            }
        }
    }

    /// Has a lost line called again, if there is somebody to call; the link's silence says when that is in vain.
    fn unless_lost(&mut self, line: rustix::io::Result<()>, now_ms: u64) -> Result<(), Lost> {
        match line {
            Err(errno) if !self.line.hang_up(errno, now_ms) => Err(Lost::Line),
            _ => Ok(()),
        }
    }

    /// Waits until a descriptor is ready or something is due. While the link has no room for what would become of it, it
    /// is not waited for: scripts and helpers are held back, and nothing is buffered.
    fn wait(&self, now_ms: u64) -> rustix::io::Result<Ready> {
        const FIXED: usize = 5;
        let (can_send, can_call) = (self.link.can_send(), self.link.can_send_pair());
        let mut fds: Vec<PollFd<'_>, { FIXED + MAX_CONNECTIONS }> = Vec::new();
        let mut watch = |fd, flags| {
            let index = fds.len();
            fds.push(PollFd::from_borrowed_fd(fd, flags)).ok().map(|()| index)
        };
        let input = if self.line.is_there() { watch(self.line.input, PollFlags::IN) } else { None };
        if self.line.is_writing() {
            watch(self.line.output, PollFlags::OUT);
        }
        let accept = watch(self.calls.listener(), PollFlags::IN);
        let script = self.script.as_ref().filter(|script| can_send && script.ended().is_none());
        let report = script.and_then(Script::reports).and_then(|fd| watch(fd, PollFlags::IN));
        let printing = script.filter(|_| self.link.can_stream());
        printing.and_then(Script::output).map(|fd| watch(fd, PollFlags::IN));
        let first_call = fds.len();
        if can_call {
            for fd in self.calls.connections() {
                let _ = fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        let is_blocked = self.line.is_writing() || !self.line.is_there();
        let due = [
            if is_blocked { self.link.poll_blocked_timeout() } else { self.link.poll_timeout() },
            self.line.poll_timeout(),
            script.filter(|_| can_call).and_then(Script::poll_timeout),
        ];
        let timeout = due.into_iter().flatten().min().map(|at| clock::timespec(at.saturating_sub(now_ms)));
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(Ready::default()),
            other => other?,
        };
        let happened = |index: Option<usize>| {
            index.and_then(|index| fds.get(index)).is_some_and(|fd| !fd.revents().is_empty())
        };
        Ok(Ready {
            input: happened(input),
            accept: happened(accept),
            report: happened(report),
            calls: fds.iter().skip(first_call).map(|fd| !fd.revents().is_empty()).collect(),
            is_complete: can_call,
        })
    }

    /// Takes what the runner has sent, as long as there is room for the answers.
    fn take_messages(&mut self, now_ms: u64) -> Result<(), Lost> {
        while self.link.can_send() && !self.is_leaving {
            let mut buffer = [0; MAX_MESSAGE];
            let Some(message) = self.link.receive(now_ms) else {
                return Ok(());
            };
            let Some(copy) = buffer.get_mut(..message.len()) else {
                return Err(Lost::Message);
            };
            copy.copy_from_slice(message);
            let message = protocol::message::decode(copy).map_err(|_| Lost::Message)?;
            self.handle(message, now_ms);
        }
        Ok(())
    }

    /// Does what a message says. Sends at most one message.
    fn handle(&mut self, message: HostToAgent<'_>, now_ms: u64) {
        match message {
            HostToAgent::OpenFile { path, mode } => {
                if let Some(unfinished) = self.reception.open(self.setting.directory, path, mode) {
                    self.send(&unfinished);
                }
            }
            HostToAgent::FileData { data } => self.reception.append(data),
            HostToAgent::CloseFile => {
                let done = self.reception.close();
                self.send(&done);
            }
            HostToAgent::RunScript { run, script, shell, errexit, timeout_s } => {
                let deadline_ms = now_ms.saturating_add(u64::from(timeout_s) * 1_000);
                let order = Order {
                    directory: self.setting.directory,
                    invocation: self.setting.invocation,
                    process: rustix::process::getpid(),
                    link: self.setting.link,
                    run,
                    script,
                    shell,
                    errexit,
                    deadline_ms,
                };
                self.start(&order);
            }
            HostToAgent::KillScript { run } => {
                if let Some(script) = self.script.as_mut().filter(|script| script.run() == run) {
                    script.terminate(ExitStatus::Killed, now_ms);
                }
            }
            HostToAgent::Reply { call, reply } => self.calls.reply(call, &reply),
            HostToAgent::SetClock { unix_s } => clock::correct(unix_s),
            HostToAgent::Quit => self.is_leaving = true,
        }
    }

    fn start(&mut self, order: &Order<'_>) {
        let started = if self.script.is_some() { Err(Errno::BUSY) } else { Script::start(order) };
        match started {
            Ok(script) => self.script = Some(script),
            Err(errno) => self.send(&AgentToHost::NotStarted { run: order.run, errno: number(errno) }),
        }
    }

    /// Takes one report of the script's waiter; there must be room for a message.
    fn take_report(&mut self) {
        let Some(script) = &mut self.script else { return };
        let run = script.run();
        match script.read_report() {
            Some(Report::Started) => self.send(&AgentToHost::Started { run }),
            Some(Report::NotStarted(errno)) => {
                if let Some(script) = self.script.take() {
                    script.reap();
                }
                self.send(&AgentToHost::NotStarted { run, errno });
            }
            Some(Report::Ended) | None => {}
        }
    }

    /// Passes on what the script has printed, as far as the link takes it, and then its next step or its end.
    fn take_output(&mut self, now_ms: u64) {
        while self.link.can_stream() {
            let Some(script) = &mut self.script else { return };
            let run = script.run();
            if let Some(next) = script.begin_step(now_ms) {
                self.send(&AgentToHost::Step { run, step: next.step });
                self.calls.reply(next.call, &Reply::Done);
                continue;
            }
            if script.output().is_none() && script.ended().is_none() {
                return;
            }
            let mut buffer = [0; MAX_CHUNK];
            let piece = self.link.chunk();
            // A process that outlives the script may hold the pipe open: its end is not waited for.
            match (script.read_output(buffer.get_mut(..piece).unwrap_or_default()), script.ended()) {
                (Output::Bytes(count), _) => {
                    self.send(&AgentToHost::Output { run, data: buffer.get(..count).unwrap_or_default() });
                }
                (_, Some(status)) => {
                    if let Some(usage) = script.take_usage() {
                        self.send(&AgentToHost::Usage { run, usage });
                        continue;
                    }
                    if let Some(script) = self.script.take() {
                        script.leave();
                    }
                    self.send(&AgentToHost::Exited { run, status });
                }
                (Output::Nothing | Output::End, None) => return,
            }
        }
    }

    /// Passes on what the helpers on the ready connections have to say, as far as the link takes it.
    ///
    /// From the last to the first, because in the place of a connection that ends comes the last one.
    fn take_calls(&mut self, ready: &[bool]) {
        for (index, _) in ready.iter().enumerate().rev().filter(|(_, ready)| **ready) {
            if !self.link.can_send_pair() {
                return;
            }
            let mut buffer = [0; MAX_MESSAGE];
            match self.calls.read(index, &mut buffer) {
                Event::Called(call, Packet { run, call: Call::Step { step, timeout_s } }) => {
                    let script = self.script.as_mut().filter(|script| script.run() == run);
                    if !script.is_some_and(|script| script.announce_step(call, step, timeout_s)) {
                        self.calls.reply(call, &Reply::Refused { reason: "no script runs that has steps" });
                    }
                }
                Event::Called(call, Packet { run, call: request }) => {
                    let unread =
                        self.script.as_ref().filter(|script| script.run() == run).map(Script::unread);
                    if let Some(bytes @ 1..) = unread {
                        self.send(&AgentToHost::CallBehind { run, bytes });
                    }
                    let message = AgentToHost::Call { call, run, request };
                    if let Err(SendError::Encode(_)) = self.link.send(&message) {
                        self.calls
                            .reply(call, &Reply::Refused { reason: "the call is too long for one message" });
                    }
                }
                Event::Gone(call) => self.send(&AgentToHost::CallGone { call }),
                Event::Nothing => {}
            }
        }
    }

    /// Ends the script and closes the link.
    fn leave(&mut self, now_ms: u64) {
        self.is_leaving = true;
        if let Some(script) = self.script.take() {
            script.abort();
        }
        self.calls.close();
        // With a full window the close is tried again when there is room.
        let _ = self.link.close(now_ms);
    }

    /// Queues a message of bounded size. Callers have made sure of the room, or the link is about to end.
    fn send(&mut self, message: &AgentToHost<'_>) {
        let _ = self.link.send(message);
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Line => Self::Plain("the line hung up"),
            Lost::Link(LinkError::Lost { .. }) => Self::Plain("the runner has said nothing for 30 s"),
            Lost::Link(LinkError::Stuck { .. }) => Self::Plain("the line damages too much"),
            Lost::Link(LinkError::Restarted { .. }) => Self::Plain("the runner has restarted"),
            Lost::Link(LinkError::Version { .. }) => Self::Plain("the runner is of an incompatible version"),
            Lost::Message => Self::Plain("the runner sent a message that this agent does not know"),
            Lost::Poll(errno) => Self::System("cannot wait for anything to happen", errno),
        }
    }
}
