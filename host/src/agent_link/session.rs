//! One session with an agent, from its Ready to its end.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use protocol::frame::Side;
use protocol::link::{self, Counters, State};
use protocol::{AgentToHost, HostToAgent};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};

use super::error::LastHeard;
use super::pump::Pump;
use super::{AgentLinkError, Message, OnText};

/// Messages that are kept while something else is waited for.
const INBOX: usize = 64;

/// How long the agent may take to write one file, once it has all of it.
const FILE_TIME: Duration = Duration::from_secs(60);

/// How long the agent may take to quit.
const QUIT_TIME: Duration = Duration::from_secs(10);

/// How long the last acknowledgement may take to leave.
const LAST_WORD_TIME: Duration = Duration::from_secs(1);

/// How often the agent is asked for a sign of life, and how long it has each time: a board that is busy, or whose kernel
/// talks, is late.
const PROBES: u32 = 5;
const PROBE_TIME: Duration = Duration::from_secs(1);

/// How a session is held.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What the line carries, in bytes per second (a tenth of the baud rate); `None` if it is not a real serial line.
    pub bytes_per_s: Option<u32>,
    /// Silence after which the agent is lost; the agent speaks four times in that time.
    pub silence: Duration,
}

impl Default for Config {
    /// A fast stream; 30 s.
    fn default() -> Self {
        Self { bytes_per_s: None, silence: Duration::from_secs(30) }
    }
}

/// What the agent said when it came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Version and target of its build.
    pub build: String,
    /// The target's clock, in seconds since 1970-01-01 00:00 UTC.
    pub unix_s: u64,
}

/// What is left of a session that ended as it should.
#[derive(Debug)]
pub struct Ended<S> {
    /// The stream; on a console the shell's prompt comes next, unless it is in `text`.
    pub stream: S,
    /// What had come behind the agent's last frame, at most its last 4096 bytes. The text callback has seen it.
    pub text: Vec<u8>,
    /// Messages that nobody took.
    pub unread: Vec<Message>,
}

/// A session with a running agent. Nothing moves unless one of its methods is awaited.
pub struct AgentSession<S> {
    pump: Pump<S>,
    inbox: VecDeque<Message>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AgentSession<S> {
    /// Waits until `deadline` for the agent at the other end of `stream` and its Ready.
    ///
    /// # Errors
    /// [`AgentLinkError::Timeout`] with the last text if no agent comes up; the stream is lost with any error.
    pub async fn open(
        stream: S,
        config: Config,
        on_text: OnText,
        deadline: Instant,
    ) -> Result<(Self, Ready), AgentLinkError> {
        let config = link::Config {
            side: Side::Runner,
            id: random_id(),
            bytes_per_s: config.bytes_per_s,
            silence_ms: u64::try_from(config.silence.as_millis()).unwrap_or(u64::MAX),
        };
        let mut session = Self { pump: Pump::new(stream, config, on_text), inbox: VecDeque::new() };
        let message =
            session.within(deadline, "the agent to come up", async |session| session.recv().await).await?;
        match message.decode().map_err(AgentLinkError::Malformed)? {
            AgentToHost::Ready { build, unix_s } => Ok((session, Ready { build: build.to_owned(), unix_s })),
            other => Err(AgentLinkError::NotReady { got: format!("{other:.60?}") }),
        }
    }

    /// The next message. Cancel-safe: a message is either returned or still there.
    ///
    /// # Errors
    /// [`AgentLinkError`] when no further message can come: link lost, closed by the agent, or stream gone.
    pub async fn recv(&mut self) -> Result<Message, AgentLinkError> {
        loop {
            self.take_messages(INBOX);
            if let Some(message) = self.inbox.pop_front() {
                return Ok(message);
            }
            self.step().await?;
        }
    }

    /// The next message, if it has arrived already.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.take_messages(INBOX);
        self.inbox.pop_front()
    }

    /// Queues one message; waits while as many as allowed are on their way. It leaves while this or another
    /// method is awaited. Cancel-safe: when cancelled, the message was not queued.
    ///
    /// # Errors
    /// [`AgentLinkError::Send`] if it is too long, others if the agent is gone.
    pub async fn send(&mut self, message: &HostToAgent<'_>) -> Result<(), AgentLinkError> {
        while !self.pump.link.can_send() {
            self.step().await?;
            self.take_messages(INBOX);
        }
        self.pump.link.send(message).map_err(AgentLinkError::Send)
    }

    /// Finds out whether the agent is still there, after `instead` was seen: text that speaks against it. Messages are
    /// kept.
    ///
    /// # Errors
    /// [`AgentLinkError::Gone`] if it gives no sign of life within 5 s, others if it cannot.
    pub async fn confirm_alive(&mut self, instead: &str) -> Result<(), AgentLinkError> {
        let (began, before) = (Instant::now(), self.pump.link.counters().heard);
        for probe in 1..=PROBES {
            self.pump.probe();
            while let Ok(stepped) = timeout_at(began + PROBE_TIME * probe, self.step()).await {
                stepped?;
                if self.pump.link.counters().heard != before {
                    return Ok(());
                }
            }
        }
        // The text is by now the echo of what the agent was asked; `instead` tells what there was before.
        let last = LastHeard { text: String::new(), ..self.pump.last_heard() };
        let instead = instead.to_owned();
        Err(AgentLinkError::Gone { instead, waited: began.elapsed(), last })
    }

    /// Writes `bytes` to `path` (relative to the agent's directory) with permission bits `mode`, and waits until
    /// that is done. Not cancel-safe.
    ///
    /// # Errors
    /// [`AgentLinkError::File`] if the agent could not, others if it is gone.
    pub async fn put_file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), AgentLinkError> {
        self.send(&HostToAgent::OpenFile { path, mode }).await?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (data, next) = rest.split_at(self.pump.link.chunk().min(rest.len()));
            self.send(&HostToAgent::FileData { data }).await?;
            rest = next;
        }
        self.send(&HostToAgent::CloseFile).await?;
        let awaited = format!("the agent to write {path}");
        let (errno, written) = self
            .within(Instant::now() + FILE_TIME, &awaited, async |session| session.file_done(&awaited).await)
            .await?;
        if errno != 0 || u32::try_from(bytes.len()) != Ok(written) {
            return Err(AgentLinkError::File { path: path.to_owned(), errno, written, length: bytes.len() });
        }
        Ok(())
    }

    /// Tells the agent to quit, waits until it has, and gives the stream back.
    ///
    /// # Errors
    /// [`AgentLinkError`]; the stream is lost.
    pub async fn quit(mut self) -> Result<Ended<S>, AgentLinkError> {
        let deadline = Instant::now() + QUIT_TIME;
        self.within(deadline, "the agent to quit", async |session| session.end().await).await?;
        let (stream, text) = self.pump.into_stream();
        Ok(Ended { stream, text, unread: self.inbox.into() })
    }

    /// What happened on the link so far, in numbers.
    pub fn counters(&self) -> Counters {
        self.pump.link.counters()
    }

    /// The answer about the file that was sent last; other messages are kept.
    async fn file_done(&mut self, awaited: &str) -> Result<(u16, u32), AgentLinkError> {
        loop {
            let kept = self
                .inbox
                .iter()
                .position(|message| matches!(message.decode(), Ok(AgentToHost::FileDone { .. })));
            let kept = kept.and_then(|at| self.inbox.remove(at));
            if let Some(Ok(AgentToHost::FileDone { errno, bytes })) = kept.as_ref().map(Message::decode) {
                return Ok((errno, bytes));
            }
            self.wait_for_more(awaited).await?;
        }
    }

    async fn end(&mut self) -> Result<(), AgentLinkError> {
        let awaited = "the agent to quit";
        while !self.pump.link.can_send() && self.pump.failure().is_none() {
            self.wait_for_more(awaited).await?;
        }
        if self.pump.link.can_send() {
            self.pump.link.send(&HostToAgent::Quit).map_err(AgentLinkError::Send)?;
        }
        loop {
            self.take_messages(2 * INBOX);
            match self.pump.link.state() {
                State::Closed if self.pump.is_flushed() => return Ok(()),
                // The agent has gone for good; whether the last acknowledgement still leaves is all the same.
                State::Closed if !matches!(timeout(LAST_WORD_TIME, self.pump.step()).await, Ok(Ok(()))) => {
                    return Ok(());
                }
                State::Closed => {}
                // An SSH channel ends with the agent; all its messages came before its Close.
                State::Closing if self.pump.ended => return Ok(()),
                _ => self.wait_for_more(awaited).await?,
            }
        }
    }

    /// Waits for something to happen, keeping all messages.
    async fn wait_for_more(&mut self, awaited: &str) -> Result<(), AgentLinkError> {
        let before = self.inbox.len();
        self.take_messages(2 * INBOX);
        if self.inbox.len() >= 2 * INBOX {
            return Err(AgentLinkError::Backlog { awaited: awaited.to_owned(), limit: 2 * INBOX });
        }
        if self.inbox.len() == before { self.step().await } else { Ok(()) }
    }

    /// Lets bytes move, or says why none can any more.
    async fn step(&mut self) -> Result<(), AgentLinkError> {
        match self.pump.failure() {
            Some(error) => Err(error),
            None => self.pump.step().await,
        }
    }

    /// Moves messages from the link to the inbox while that holds fewer than `limit`: what is left in the link
    /// slows the agent down.
    fn take_messages(&mut self, limit: usize) {
        while self.inbox.len() < limit {
            let Some(bytes) = self.pump.receive() else { return };
            let message = Message::new(bytes);
            self.inbox.push_back(message);
        }
    }

    async fn within<T>(
        &mut self,
        deadline: Instant,
        awaited: &str,
        wait: impl AsyncFnOnce(&mut Self) -> Result<T, AgentLinkError>,
    ) -> Result<T, AgentLinkError> {
        let began = Instant::now();
        match timeout_at(deadline, wait(self)).await {
            Ok(result) => result,
            Err(_) => Err(AgentLinkError::Timeout {
                awaited: awaited.to_owned(),
                waited: began.elapsed(),
                last: self.pump.last_heard(),
            }),
        }
    }
}

/// An id that another run of the runner does not have.
pub(crate) fn random_id() -> u32 {
    u32::try_from(random() >> 32).unwrap_or(0).max(1)
}

/// Bits that nobody can guess: the system's own for keys of hash tables.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
