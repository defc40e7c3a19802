//! A runner in small: starts an agent, holds the other end of its link, and answers its helpers.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus as ProcessStatus, Stdio};
use std::time::{Duration, Instant};

use protocol::agent_to_host::ExitStatus;
use protocol::frame::{Kind, MAX_ENCODED, Side};
use protocol::helper::{Call, NAMES, Reply};
use protocol::link::{Config, Link, State};
use protocol::{AgentToHost, HostToAgent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which build of the agent a test runs.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// The bench PC's own.
    X86,
    /// The boards', under emulation.
    Armv7,
}

/// The directory of an agent as a root filesystem has it: `bin` with the agent and the helpers.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    program: Vec<PathBuf>,
}

impl Home {
    pub(crate) fn new(build: Build) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let bin = directory.path().join("bin");
        std::fs::create_dir(&bin).expect("writable");
        let agent = bin.join("lava-agent");
        let program = match build {
            Build::X86 => {
                std::fs::copy(testbench::harness::agent(), &agent).expect("the agent was built");
                NAMES.iter().for_each(|name| symlink("lava-agent", bin.join(name)).expect("writable"));
                vec![agent]
            }
            Build::Armv7 => {
                let emulator = PathBuf::from("/usr/bin/qemu-arm-static");
                assert!(emulator.exists(), "there is no {}: install qemu-user-static", emulator.display());
                let built = target_directory().join("agent/armv7/lava-agent");
                std::fs::copy(&built, &agent).unwrap_or_else(|error| {
                    panic!(
                        "there is no agent for boards ({}: {error}): `cargo xtask agent` makes it",
                        built.display()
                    )
                });
                for name in NAMES {
                    let wrapper = bin.join(name);
                    let text = format!(
                        "#!/bin/sh\nexec {} -0 {name} {} \"$@\"\n",
                        emulator.display(),
                        agent.display()
                    );
                    std::fs::write(&wrapper, text).expect("writable");
                    std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).expect("own file");
                }
                vec![emulator, agent]
            }
        };
        Self { directory, program }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The agent's command line, yet to be given arguments and descriptors.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).env("MARK", "inherited");
        command
    }

    /// Writes a program for the scripts.
    pub(crate) fn program(&self, name: &str, text: &str) {
        self.script(name, text);
        std::fs::set_permissions(self.path().join(name), PermissionsExt::from_mode(0o755)).expect("own file");
    }

    pub(crate) fn script(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("writable");
    }
}

/// What a script did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) output: String,
    pub(crate) status: ExitStatus,
    /// The helpers' calls, in `Debug` form.
    pub(crate) calls: Vec<String>,
}

/// An agent that runs, and the link to it.
pub(crate) struct Runner {
    pub(crate) child: Child,
    from_agent: OwnedFd,
    to_agent: Option<OwnedFd>,
    link: Link,
    started: Instant,
    /// Bytes outside frames.
    pub(crate) console: Vec<u8>,
    next_run: u32,
}

impl Runner {
    /// Starts an agent on two pipes and takes its greeting.
    pub(crate) fn over_pipes(home: &Home) -> Self {
        let mut child = home
            .command()
            .arg("stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let from_agent = child.stdout.take().expect("piped").into();
        let to_agent = child.stdin.take().expect("piped").into();
        Self::new(child, from_agent, to_agent)
    }

    /// Takes an agent that was started, and its greeting.
    pub(crate) fn new(child: Child, from_agent: OwnedFd, to_agent: OwnedFd) -> Self {
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

    pub(crate) fn send(&mut self, message: &HostToAgent<'_>) {
        let begun = Instant::now();
        while !self.link.can_send() {
            assert!(begun.elapsed() < PATIENCE, "the agent takes no message; link {:?}", self.link.state());
            self.pump();
        }
        self.link.send(message).expect("there is room");
    }

    /// Asks the agent for a sign of life, which no other Hello than its answer can be, and waits for it.
    pub(crate) fn confirm_alive(&mut self) {
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
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(AgentToHost<'_>) -> T) -> T {
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
    pub(crate) fn run(
        &mut self,
        script: &str,
        timeout_s: u32,
        mut answer: impl FnMut(&Call<'_>) -> Vec<Reply<'static>>,
    ) -> Ran {
        let run = self.ask(script, timeout_s);
        let (mut started, mut output, mut calls) = (false, Vec::new(), Vec::new());
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
                AgentToHost::Call { call, request } => {
                    calls.push(format!("{request:?}"));
                    (None, answer(&request).into_iter().map(|reply| (call, reply)).collect())
                }
                AgentToHost::CallGone { .. } => {
                    calls.push("gone".to_owned());
                    (None, Vec::new())
                }
                other => panic!("unexpected {other:?}"),
            });
            for (call, reply) in replies {
                self.send(&HostToAgent::Reply { call, reply });
            }
            if let Some(status) = ended {
                return Ran { output: String::from_utf8_lossy(&output).into_owned(), status, calls };
            }
        }
    }

    /// Starts a script and returns its number once it runs.
    pub(crate) fn start(&mut self, script: &str, timeout_s: u32) -> u32 {
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
    pub(crate) fn quit(&mut self) -> ProcessStatus {
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
    pub(crate) fn hang_up(&mut self) -> ProcessStatus {
        self.to_agent = None;
        self.child.wait().expect("a child")
    }

    /// Pumps until text outside frames holds `wanted`.
    pub(crate) fn wait_for_console(&mut self, wanted: &str) {
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

fn target_directory() -> PathBuf {
    // <target directory>/<profile>/deps/<test>
    let test = std::env::current_exe().expect("known on Linux");
    test.ancestors().nth(3).expect("cargo's layout").to_owned()
}
