//! The runner's end of an agent's link.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus as ProcessStatus, Stdio};
use std::time::{Duration, Instant};

use protocol::agent_to_host::{ExitStatus, Usage};
use protocol::frame::{Kind, MAX_ENCODED, Side};
use protocol::helper::{Call, Reply};
use protocol::link::{Config, Link, State};
use protocol::{AgentToHost, HostToAgent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Home;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a script did.
#[derive(Debug)]
pub struct Ran {
    /// What it printed.
    pub output: String,
    /// Steps as the script began them, each with what was printed in it; number 0 is in front of the first.
    pub steps: Vec<(u16, String)>,
    /// How it ended.
    pub status: ExitStatus,
    /// What it used.
    pub usage: Option<Usage>,
    /// The helpers' calls, in `Debug` form.
    pub calls: Vec<String>,
    /// How many bytes of output had come before each of them.
    pub called_after: Vec<usize>,
    /// How many bytes of output it was said that each of them belongs behind.
    pub called_behind: Vec<usize>,
}

/// An agent that runs, and the link to it.
pub struct Runner {
    /// The agent's process.
    pub child: Child,
    from_agent: OwnedFd,
    to_agent: Option<OwnedFd>,
    link: Link,
    started: Instant,
    /// Bytes outside frames.
    pub console: Vec<u8>,
    next_run: u32,
}

impl Runner {
    /// Starts an agent on two pipes and takes its greeting.
    ///
    /// # Panics
    /// When it does not start.
    pub fn over_pipes(home: &Home) -> Self {
        Self::on_pipes(home.command().arg("stdio"))
    }

    fn on_pipes(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the agent starts");
        let from_agent = child.stdout.take().expect("piped").into();
        let to_agent = child.stdin.take().expect("piped").into();
        Self::new(child, from_agent, to_agent)
    }

    /// Starts an emulated agent on two pipes and takes its greeting; its system calls go into `trace`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn traced(home: &Home, trace: File) -> Self {
        let mut command = home.traced_command();
        Self::on_pipes(command.arg("stdio").stderr(trace))
    }

    /// Takes an agent that was started, and its greeting.
    ///
    /// # Panics
    /// When the greeting does not come.
    pub fn new(child: Child, from_agent: OwnedFd, to_agent: OwnedFd) -> Self {
        let config = Config { side: Side::Runner, id: 77, bytes_per_s: None, silence_ms: 30_000 };
        let link = Link::new(config, 0);
        let mut runner = Self {
            child,
            from_agent,
            to_agent: Some(to_agent),
            link,
            started: Instant::now(),
            console: Vec::new(),
            next_run: 1,
        };
        runner
            .next(|message| assert!(matches!(message, AgentToHost::Ready { .. }), "{message:?} came first"));
        runner
    }

    /// Sends a message, as soon as the agent takes one.
    ///
    /// # Panics
    /// When it does not.
    pub fn send(&mut self, message: &HostToAgent<'_>) {
        let begun = Instant::now();
        while !self.link.can_send() {
            assert!(begun.elapsed() < PATIENCE, "the agent takes no message; link {:?}", self.link.state());
            self.pump();
        }
        self.link.send(message).expect("there is room");
    }

    /// Asks the agent for a sign of life, which no other Hello than its answer can be, and waits for it.
    ///
    /// # Panics
    /// When none comes.
    pub fn confirm_alive(&mut self) {
        let (now_ms, before) = (self.now_ms(), self.link.counters().heard);
        self.link.probe(now_ms);
        let begun = Instant::now();
        while self.link.counters().heard == before
            || self.link.last_heard().is_none_or(|(_, kind)| kind != Kind::Hello)
        {
            assert!(begun.elapsed() < PATIENCE, "no answer; heard {:?}", self.link.last_heard());
            self.pump();
        }
    }

    /// Waits for the next message.
    ///
    /// # Panics
    /// When none comes.
    pub fn next<T>(&mut self, take: impl FnOnce(AgentToHost<'_>) -> T) -> T {
        let begun = Instant::now();
        loop {
            let now_ms = self.now_ms();
            if let Some(bytes) = self.link.receive(now_ms) {
                return take(protocol::message::decode(bytes).expect("a message of this version"));
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no message; link {:?}, heard {:?}",
                self.link.state(),
                self.link.last_heard()
            );
            self.pump();
        }
    }

    /// Runs a script of the agent's directory to its end; `answer` is asked for the replies to every call.
    ///
    /// # Panics
    /// When the agent says what does not belong there, or nothing.
    pub fn run(
        &mut self,
        script: &str,
        timeout_s: u32,
        mut answer: impl FnMut(&Call<'_>) -> Vec<Reply<'static>>,
    ) -> Ran {
        let run = self.ask(script, timeout_s);
        let (mut started, mut output) = (false, Vec::new());
        let (mut calls, mut called_after, mut called_behind) = (Vec::new(), Vec::new(), Vec::new());
        let mut owed = 0;
        let (mut steps, mut usage): (Vec<(u16, usize)>, _) = (vec![(0, 0)], None);
        loop {
            let (ended, replies) = self.next(|message| match message {
                // A script may be quicker than the news of its start: its first helper's call may come before.
                AgentToHost::Started { run: of } => {
                    assert!(of == run && !started, "started {of}");
                    started = true;
                    (None, Vec::new())
                }
                AgentToHost::Output { run: of, data } => {
                    assert_eq!(of, run);
                    output.extend_from_slice(data);
                    (None, Vec::new())
                }
                AgentToHost::Exited { run: of, status } => {
                    assert!(of == run && started, "ended {of}");
                    (Some(status), Vec::new())
                }
                AgentToHost::Call { call, request, .. } => {
                    calls.push(format!("{request:?}"));
                    called_after.push(output.len());
                    called_behind.push(output.len() + std::mem::take(&mut owed));
                    (None, answer(&request).into_iter().map(|reply| (call, reply)).collect())
                }
                AgentToHost::CallBehind { run: of, bytes } => {
                    assert_eq!((of, owed), (run, 0));
                    owed = bytes as usize;
                    (None, Vec::new())
                }
                AgentToHost::Step { run: of, step } => {
                    assert_eq!(of, run);
                    steps.push((step, output.len()));
                    (None, Vec::new())
                }
                AgentToHost::Usage { run: of, usage: used } => {
                    assert_eq!(of, run);
                    usage = Some(used);
                    (None, Vec::new())
                }
                AgentToHost::CallGone { .. } => {
                    calls.push("gone".to_owned());
                    called_after.push(output.len());
                    called_behind.push(output.len());
                    (None, Vec::new())
                }
                other => panic!("unexpected {other:?}"),
            });
            for (call, reply) in replies {
                self.send(&HostToAgent::Reply { call, reply });
            }
            if let Some(status) = ended {
                let output = String::from_utf8_lossy(&output).into_owned();
                let ends = steps.iter().skip(1).map(|(_, at)| *at).chain([output.len()]);
                let steps =
                    steps.iter().zip(ends).map(|((step, at), end)| (*step, output[*at..end].to_owned()));
                return Ran {
                    steps: steps.collect(),
                    output,
                    status,
                    usage,
                    calls,
                    called_after,
                    called_behind,
                };
            }
        }
    }

    /// Starts a script and returns its number once it runs.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self, script: &str, timeout_s: u32) -> u32 {
        let run = self.ask(script, timeout_s);
        self.next(|message| assert_eq!(message, AgentToHost::Started { run }));
        run
    }

    fn ask(&mut self, script: &str, timeout_s: u32) -> u32 {
        let run = self.next_run;
        self.next_run += 1;
        self.send(&HostToAgent::RunScript { run, script, shell: "/bin/sh", errexit: true, timeout_s });
        run
    }

    /// Says `Quit` and waits for the agent's end.
    ///
    /// # Panics
    /// When the agent does not end.
    pub fn quit(&mut self) -> ProcessStatus {
        self.send(&HostToAgent::Quit);
        let begun = Instant::now();
        while !matches!(self.link.state(), State::Closed | State::Failed(_)) {
            assert!(begun.elapsed() < PATIENCE, "the link stays {:?}", self.link.state());
            let now_ms = self.now_ms();
            let _ = self.link.receive(now_ms);
            let _ = self.link.close(now_ms);
            self.pump();
        }
        assert_eq!(self.link.state(), State::Closed);
        self.child.wait().expect("a child")
    }

    /// Cuts the line and waits for the agent's end.
    ///
    /// # Panics
    /// When it is no child of this process.
    pub fn hang_up(&mut self) -> ProcessStatus {
        self.to_agent = None;
        self.child.wait().expect("a child")
    }

    /// Waits until text outside frames holds `wanted`.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for_console(&mut self, wanted: &str) {
        let begun = Instant::now();
        while !String::from_utf8_lossy(&self.console).contains(wanted) {
            assert!(
                begun.elapsed() < PATIENCE,
                "no {wanted:?} in {:?}",
                String::from_utf8_lossy(&self.console)
            );
            self.pump();
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).expect("not that long")
    }

    /// Moves bytes until something arrived or is due.
    fn pump(&mut self) {
        let now_ms = self.now_ms();
        self.link.handle_timeout(now_ms);
        let mut frame = vec![0; MAX_ENCODED];
        while let length @ 1.. = self.link.poll_transmit(now_ms, &mut frame) {
            self.write(&frame[..length]);
        }
        let wait_ms = self.link.poll_timeout().map_or(1_000, |at| at.saturating_sub(now_ms)).min(1_000);
        let timeout = Timespec { tv_sec: 0, tv_nsec: (wait_ms.min(999) * 1_000_000) as _ };
        let mut fds = [PollFd::new(&self.from_agent, PollFlags::IN)];
        poll(&mut fds, Some(&timeout)).expect("poll works");
        if fds[0].revents().is_empty() {
            return;
        }
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.from_agent, &mut buffer) {
            Ok(count @ 1..) => {
                let (now_ms, console) = (self.now_ms(), &mut self.console);
                self.link.handle_input(now_ms, &buffer[..count], &mut |text| console.extend_from_slice(text));
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // It may go as soon as both sides have said that they are done.
            Ok(0) if self.link.state() == State::Closed => {}
            gone => {
                panic!("the agent is gone ({gone:?}); it said {:?}", String::from_utf8_lossy(&self.console))
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        let Some(to_agent) = &self.to_agent else { return };
        while !bytes.is_empty() {
            let count = rustix::io::write(to_agent.as_fd(), bytes).map_err(std::io::Error::from);
            match count {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The agent has left; what it said before is still to be read.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return,
                Err(error) => panic!("the agent takes no bytes: {error}"),
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
