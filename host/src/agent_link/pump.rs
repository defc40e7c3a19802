//! Moves bytes between a stream and a link, one cancel-safe step at a time.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use protocol::frame::MAX_ENCODED;
use protocol::link::{Config, Link, State};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::{AgentLinkError, LastHeard};
use crate::text::{WithoutDamagedFrames, keep_last, tail};

/// Called with all bytes that belong to no frame, in order, in pieces of any length.
pub type OnText = Box<dyn FnMut(&[u8]) + Send>;

/// Bytes of text that are kept for error messages.
const TAIL: usize = 200;

/// Bytes of text behind the last frame that are kept while a link closes: what a shell says when it is back.
const REST: usize = 4096;

/// How long a step waits when the link has no timer.
const IDLE: Duration = Duration::from_secs(3600);

/// How long is still read after a write has failed: the other end may have said why before it went.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A link, its stream, and the bytes between them.
pub(super) struct Pump<S> {
    pub(super) stream: S,
    pub(super) link: Box<Link>,
    on_text: OnText,
    damaged: WithoutDamagedFrames,
    tail: Vec<u8>,
    /// The text that came behind the last frame of a link that closes.
    rest: Vec<u8>,
    started: Instant,
    incoming: Box<[u8]>,
    outgoing: Outgoing,
    /// When and why writing failed.
    broken: Option<(Instant, io::Error)>,
    /// The stream has ended; what arrived before can still be taken.
    pub(super) ended: bool,
}

#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    unflushed: bool,
}

enum Happened {
    Wrote(io::Result<()>),
    Read(usize),
    Timer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(super) fn new(stream: S, config: Config, on_text: OnText) -> Self {
        Self {
            stream,
            link: Box::new(Link::new(config, 0)),
            on_text,
            damaged: WithoutDamagedFrames::default(),
            tail: Vec::new(),
            rest: Vec::new(),
            started: Instant::now(),
            incoming: vec![0; 16 * 1024].into_boxed_slice(),
            outgoing: Outgoing::default(),
            broken: None,
            ended: false,
        }
    }

    /// The link's clock: milliseconds since the pump was made.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The next message in order, if it is there.
    pub(super) fn receive(&mut self) -> Option<&[u8]> {
        let now_ms = self.now_ms();
        self.link.receive(now_ms)
    }

    /// Why nothing can come any more, if that is so.
    pub(super) fn failure(&self) -> Option<AgentLinkError> {
        match self.link.state() {
            State::Failed(source) => Some(AgentLinkError::Link { source, last: self.last_heard() }),
            State::Closed => Some(AgentLinkError::Closed { last: self.last_heard() }),
            _ if self.ended => Some(AgentLinkError::Disconnected { last: self.last_heard() }),
            _ => None,
        }
    }

    /// Asks the other end for a sign of life.
    pub(super) fn probe(&mut self) {
        let now_ms = self.now_ms();
        self.link.probe(now_ms);
    }

    pub(super) fn last_heard(&self) -> LastHeard {
        let frame = self.link.last_heard().map(|(at_ms, kind)| {
            let ago = Duration::from_millis(self.now_ms().saturating_sub(at_ms));
            (ago, kind)
        });
        LastHeard { frame, text: tail(&self.tail, TAIL).trim().to_owned() }
    }

    /// Waits until something was read or written or a timer ran out, and handles it. Loses nothing when cancelled.
    pub(super) async fn step(&mut self) -> Result<(), AgentLinkError> {
        let now_ms = self.now_ms();
        self.link.handle_timeout(now_ms);
        self.fill_outgoing(now_ms);
        // What a link that has failed had to say interests nobody any more.
        let has_failed = matches!(self.link.state(), State::Failed(_));
        if has_failed || !self.outgoing.is_pending() && self.failure().is_some() {
            return Ok(());
        }
        if let Some((_, error)) = self.broken.take_if(|(at, _)| at.elapsed() >= LAST_WORDS || self.ended) {
            self.ended = true;
            return Err(AgentLinkError::Write { error, last: self.last_heard() });
        }
        // What cannot be written yet is not waited for by a timer that is over.
        let timeout = match self.outgoing.is_pending() {
            true => self.link.poll_blocked_timeout(),
            false => self.link.poll_timeout(),
        };
        let mut wake = self.started + timeout.map_or(IDLE, Duration::from_millis);
        if let Some((at, _)) = &self.broken {
            wake = *at + LAST_WORDS;
        }
        let mut timer = pin!(sleep_until(wake));
        let (stream, incoming, outgoing) = (&mut self.stream, &mut self.incoming, &mut self.outgoing);
        let reading = !self.ended;
        let happened = poll_fn(|cx| {
            if outgoing.is_pending()
                && let Poll::Ready(result) = outgoing.poll_write(Pin::new(stream), cx)
            {
                return Poll::Ready(Ok(Happened::Wrote(result)));
            }
            if reading {
                let mut buffer = ReadBuf::new(incoming);
                if let Poll::Ready(result) = Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                    let length = buffer.filled().len();
                    return Poll::Ready(result.map(|()| Happened::Read(length)));
                }
            }
            timer.as_mut().poll(cx).map(|()| Ok(Happened::Timer))
        })
        .await
        .map_err(|error| AgentLinkError::Read { error, last: self.last_heard() })?;
        match happened {
            Happened::Read(length) => self.handle_input(length),
            Happened::Wrote(Err(error)) => {
                self.outgoing = Outgoing::default();
                self.broken = Some((Instant::now(), error));
            }
            Happened::Wrote(Ok(())) | Happened::Timer => {}
        }
        Ok(())
    }

    /// Whether all that the link wants to send now has left.
    pub(super) fn is_flushed(&self) -> bool {
        !self.outgoing.is_pending()
    }

    fn handle_input(&mut self, length: usize) {
        let now_ms = self.now_ms();
        let (on_text, tail, rest) = (&mut self.on_text, &mut self.tail, &mut self.rest);
        let damaged = &mut self.damaged;
        let mut text = |rest: &mut Vec<u8>, bytes: &[u8]| {
            on_text(bytes);
            let mut whole = Vec::new();
            damaged.push(bytes, &mut whole);
            // One more tells that there were more.
            keep_last(tail, &whole, TAIL + 1);
            keep_last(rest, bytes, REST);
        };
        if length == 0 {
            self.ended = true;
            self.link.flush(&mut |bytes| text(rest, bytes));
            return;
        }
        // Once the link closes, one of the next bytes is the end of its last frame; what follows is for the next reader.
        let piece = if matches!(self.link.state(), State::Closing | State::Closed) { 1 } else { length };
        for bytes in self.incoming.get(..length).unwrap_or_default().chunks(piece) {
            let heard = self.link.counters().heard;
            self.link.handle_input(now_ms, bytes, &mut |bytes| text(rest, bytes));
            if self.link.counters().heard != heard {
                rest.clear();
            }
        }
    }

    fn fill_outgoing(&mut self, now_ms: u64) {
        if self.outgoing.is_pending() || self.ended || self.broken.is_some() {
            return;
        }
        let mut frame = [0; MAX_ENCODED];
        loop {
            let length = self.link.poll_transmit(now_ms, &mut frame);
            match frame.get(..length) {
                Some(frame) if !frame.is_empty() => self.outgoing.bytes.extend_from_slice(frame),
                _ => return,
            }
        }
    }
}

impl<S> Pump<S> {
    /// Gives up the stream, and the text behind the last frame; what is held back as the beginning of a frame is text.
    pub(super) fn into_stream(mut self) -> (S, Vec<u8>) {
        let (on_text, rest) = (&mut self.on_text, &mut self.rest);
        self.link.flush(&mut |bytes| {
            on_text(bytes);
            keep_last(rest, bytes, REST);
        });
        (self.stream, self.rest)
    }
}

impl Outgoing {
    fn is_pending(&self) -> bool {
        self.written < self.bytes.len() || self.unflushed
    }

    /// Writes and flushes everything; keeps what was written when it is not ready.
    fn poll_write<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(bytes) = self.bytes.get(self.written..).filter(|bytes| !bytes.is_empty()) {
            match ready!(stream.as_mut().poll_write(cx, bytes))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
            self.unflushed = true;
        }
        self.bytes.clear();
        self.written = 0;
        ready!(stream.poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use protocol::frame::Side;
    use tokio::time::timeout;

    use super::*;

    /// A line that takes nothing and says nothing.
    struct Closed(Arc<AtomicUsize>);

    impl AsyncRead for Closed {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Closed {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// An agent gives up after 30 s; until then there is nothing to do but to wait.
    #[tokio::test(start_paused = true)]
    async fn a_line_that_takes_nothing_is_waited_for_without_haste() {
        let writes = Arc::new(AtomicUsize::new(0));
        let config = Config { side: Side::Agent, id: 7, bytes_per_s: None, silence_ms: 30_000 };
        let mut pump = Pump::new(Closed(Arc::clone(&writes)), config, Box::new(|_| {}));
        let failed = async {
            while pump.failure().is_none() {
                pump.step().await.expect("nothing is read or written");
            }
        };
        timeout(Duration::from_secs(31), failed).await.expect("silence is a failure");
        assert!(writes.load(Ordering::Relaxed) < 10, "tried {} times", writes.load(Ordering::Relaxed));
    }
}
