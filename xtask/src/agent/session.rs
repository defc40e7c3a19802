//! A runner in small: as much of one as keeps an agent busy.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use protocol::frame::{MAX_ENCODED, Side};
use protocol::link::{Config, Link, State};
use protocol::{AgentToHost, HostToAgent};

use crate::error::Error;

/// How long an agent may take to say what is waited for; the emulated ones run on busy machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running agent and the link to it.
pub(super) struct Session {
    child: Child,
    to_agent: Option<ChildStdin>,
    from_agent: Receiver<Vec<u8>>,
    link: Link,
    started: Instant,
}

impl Session {
    /// Starts an agent on two pipes; `command` is its command line.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(command: &mut Command) -> Result<Self, Error> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|source| Error::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        let (to_runner, from_agent) = sync_channel(16);
        if let Some(mut output) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = output.read(&mut buffer) {
                    if to_runner.send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                        return;
                    }
                }
            });
        }
        let config = Config { side: Side::Runner, id: 1, bytes_per_s: None, silence_ms: 30_000 };
        let to_agent = child.stdin.take();
        Ok(Self { child, to_agent, from_agent, link: Link::new(config, 0), started: Instant::now() })
    }

    /// The agent's process id, or its emulator's.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When too many are on their way already.
    pub(super) fn send(&mut self, message: &HostToAgent<'_>) -> Result<(), Error> {
        self.link.send(message).map_err(|error| answer(&error.to_string()))
    }

    /// Takes messages until `is_last` says so of one.
    ///
    /// # Errors
    /// When the agent does not say it within [`PATIENCE`], or ends.
    pub(super) fn until(&mut self, mut is_last: impl FnMut(&AgentToHost<'_>) -> bool) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let now_ms = self.now_ms();
            while let Some(bytes) = self.link.receive(now_ms) {
                let message = protocol::message::decode(bytes).map_err(|error| answer(&error.to_string()))?;
                if is_last(&message) {
                    return Ok(());
                }
            }
            self.exchange()?;
        }
        Err(answer(&format!("nothing of what was waited for; the link is {:?}", self.link.state())))
    }

    /// Lets the agent end its script and itself.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`].
    pub(super) fn quit(mut self) -> Result<(), Error> {
        self.send(&HostToAgent::Quit)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now_ms = self.now_ms();
            while self.link.receive(now_ms).is_some() {}
            // With a full window it is tried again when there is room.
            let _ = self.link.close(now_ms);
            let exchanged = self.exchange();
            // The agent may go as soon as both sides have said that they are done.
            if self.link.state() == State::Closed {
                return Ok(());
            }
            exchanged?;
            if Instant::now() > deadline {
                return Err(answer("no end"));
            }
        }
    }

    /// Sends what is due and waits for what comes, a tenth of a second at most.
    fn exchange(&mut self) -> Result<(), Error> {
        let now_ms = self.now_ms();
        self.link.handle_timeout(now_ms);
        let mut frame = [0; MAX_ENCODED];
        while let length @ 1.. = self.link.poll_transmit(now_ms, &mut frame) {
            let written = self.to_agent.as_mut().map(|pipe| {
                pipe.write_all(frame.get(..length).unwrap_or_default()).and_then(|()| pipe.flush())
            });
            if let Some(Err(error)) = written {
                return Err(answer(&format!("nothing, it takes no bytes: {error}")));
            }
        }
        match self.from_agent.recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => {
                let now_ms = self.now_ms();
                self.link.handle_input(now_ms, &bytes, &mut |_| {});
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(answer(&format!("nothing, it has ended; the link is {:?}", self.link.state())))
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The agent ends its script and itself when its line hangs up.
impl Drop for Session {
    fn drop(&mut self) {
        self.to_agent = None;
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Ok(bytes) = self.from_agent.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            drop(bytes);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(found: &str) -> Error {
    Error::Answer { program: "lava-agent", found: found.to_owned() }
}
