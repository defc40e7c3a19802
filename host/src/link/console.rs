//! The one owner of a board's line.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::dialog::Scan;
use crate::event::Direction;

use super::share::{ConsoleShare, Typed, TypedBytes, control};

/// How long a break is, where this PC makes it: longer than any character, and than what SysRq wants.
const BREAK_TIME: Duration = Duration::from_millis(300);

/// Reads of 4 KiB that empty any line: the kernel keeps 64 KiB of a serial port, and some megabytes of a TCP connection.
const MAX_WAITING_CHUNKS: usize = 2048;

/// What is kept, in bytes, of what comes on a line while nobody waits for it: more than a kernel says as it boots. The tap has
/// all of it.
const MAX_UNREAD: usize = 1 << 20;

/// Receives every chunk that crosses a console, in order, as it was.
pub type Tap = Arc<dyn Fn(Direction, &[u8]) + Send + Sync>;

/// Receives what happened to a line itself, one line of text each: unplugged, back again.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// A two-way byte stream that a [`Console`] can own.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A line that may be able to do more than carry bytes.
pub trait Port: Stream {
    /// Begins a break condition on the line, or ends it.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the line has no such thing, and what to do instead.
    fn set_break(&mut self, _on: bool) -> io::Result<()> {
        let text = "this console has no break; a serial port has one, and a telnet server";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Whether another process can have the line as it is, open.
    fn can_change_hands(&self) -> bool {
        false
    }

    /// Parts with the line as it is, open, for another process; [`None`] where only this one can have it.
    fn into_descriptor(self: Box<Self>) -> Option<OwnedFd> {
        None
    }
}

impl Port for TcpStream {
    fn set_break(&mut self, _on: bool) -> io::Result<()> {
        let text =
            "a raw TCP connection has no break; `telnet://HOST:PORT` has one, where the server speaks telnet";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    fn can_change_hands(&self) -> bool {
        true
    }

    fn into_descriptor(self: Box<Self>) -> Option<OwnedFd> {
        self.into_std().ok().map(OwnedFd::from)
    }
}
impl Port for UnixStream {}
impl Port for DuplexStream {}

/// A break that is being made: when it ends, and who wants to know of it.
type Break = (Pin<Box<Sleep>>, oneshot::Sender<io::Result<()>>);

/// What others type on a line.
struct Typist<S> {
    typed: TypedBytes,
    /// Taken, and not yet sent.
    pending: Vec<u8>,
    /// The break that is being made, if one is.
    broken: Option<Break>,
    set_break: fn(&mut S, bool) -> io::Result<()>,
    /// Told once that somebody types.
    notice: Option<Notice>,
    /// Tells those who are attached.
    tell: Notice,
    /// Whether an agent reads the line, and whether those who type have been told so.
    agent: Option<bool>,
    /// Says to those who ask whether an agent reads the line.
    agent_has_line: Arc<AtomicBool>,
}

impl<S> Typist<S> {
    /// Ends a break whose time is over; whether one is still made.
    fn poll_break(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<()> {
        if let Some((end, _)) = &mut self.broken {
            std::task::ready!(end.as_mut().poll(cx));
        }
        if let Some((_, told)) = self.broken.take() {
            // Whoever asked may be gone.
            let _ = told.send((self.set_break)(stream, false));
        }
        Poll::Ready(())
    }

    /// Takes what is typed next; whether there is something to send.
    fn poll_next(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<()> {
        while self.pending.is_empty() {
            let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
            let Poll::Ready(Some(next)) = typed.poll_recv(cx) else { return Poll::Pending };
            drop(typed);
            match next {
                Typed::Bytes(bytes) => {
                    self.pending = bytes;
                    if let Some(has_told @ false) = &mut self.agent {
                        *has_told = true;
                        (self.tell)(control::KEYS_ARE_LOST);
                    }
                }
                Typed::Break(told) => match (self.set_break)(stream, true) {
                    Ok(()) => {
                        self.broken = Some((Box::pin(sleep(BREAK_TIME)), told));
                        std::task::ready!(self.poll_break(cx, stream));
                    }
                    Err(error) => drop(told.send(Err(error))),
                },
            }
        }
        if let Some(notice) = self.notice.take() {
            notice("somebody who is attached to the console types on it");
        }
        Poll::Ready(())
    }
}

/// A board's line, with a tap on it.
///
/// Reads and writes like the stream within, so that it can be lent to an agent session. Bytes given back by
/// [`unread`](Self::unread) are read again first; the tap has seen them and does not see them twice.
pub struct Console<S = Box<dyn Port>> {
    stream: S,
    tap: Tap,
    unread: Vec<u8>,
    /// How the line failed while nobody waited for what comes.
    failed: Option<io::Error>,
    received: Scan,
    typist: Option<Typist<S>>,
}

impl<S> fmt::Debug for Console<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}

impl Console {
    /// Takes ownership of an open line and reports to `tap` what crosses it.
    pub fn new(stream: impl Port + 'static, tap: Tap) -> Self {
        Self::tapped(Box::new(stream), tap)
    }

    /// Lets those who are attached to `share` type on the line, while it is read; `notice` is told when they begin.
    #[must_use]
    pub fn shared(mut self, share: &ConsoleShare, notice: Notice) -> Self {
        self.typist = Some(Typist {
            typed: share.typist(),
            pending: Vec::new(),
            broken: None,
            set_break: |port, on| port.set_break(on),
            notice: Some(notice),
            tell: share.teller(),
            agent: None,
            agent_has_line: share.agent_has_line(),
        });
        self.set_agent(false);
        self
    }

    /// Whether another process can have the line as it is, open.
    pub fn can_change_hands(&self) -> bool {
        self.stream.can_change_hands()
    }

    /// Parts with the line as it is, open, for another process; [`None`] where only this one can have it.
    pub fn into_descriptor(self) -> Option<OwnedFd> {
        self.stream.into_descriptor()
    }
}

impl<S> Console<S> {
    /// As [`Console::new`], of a stream that is wanted back.
    pub fn tapped(stream: S, tap: Tap) -> Self {
        Self { stream, tap, unread: Vec::new(), failed: None, received: Scan::default(), typist: None }
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Says whether an agent reads the line, which makes nothing of what people type: they are told so.
    pub fn set_agent(&mut self, has_line: bool) {
        if let Some(typist) = &mut self.typist {
            typist.agent = has_line.then_some(false);
            typist.agent_has_line.store(has_line, Ordering::Relaxed);
        }
    }

    /// The last lines that came, printable, for errors about the line itself.
    pub fn last_output(&self) -> String {
        self.received.tail()
    }

    /// Reads what has come already, for the tap alone.
    ///
    /// # Errors
    /// Those of the line.
    pub async fn read_waiting(&mut self) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut bytes = [0; 4096];
        // As much as a line can have kept; a board that goes on talking is not waited for.
        for _ in 0..MAX_WAITING_CHUNKS {
            let read = poll_fn(|cx| {
                let mut room = ReadBuf::new(&mut bytes);
                Poll::Ready(match Pin::new(&mut *self).poll_read(cx, &mut room) {
                    Poll::Ready(Ok(())) => Ok(room.filled().len()),
                    Poll::Ready(Err(error)) => Err(error),
                    Poll::Pending => Ok(0),
                })
            });
            if read.await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Puts `bytes` back, to be read before anything else.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.unread.splice(0..0, bytes.iter().copied());
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Console<S> {
    /// Waits for `work`, which has nothing to do with the line, and reads that meanwhile: for the tap, and for whoever reads
    /// next. The kernel keeps only some kilobytes of a line that nobody reads, and what comes then is lost.
    pub async fn listen_while<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.listen() => match never {},
        }
    }

    /// Reads the line for as long as it is polled. Cancel-safe. Whoever reads next learns how a line has ended.
    pub async fn listen(&mut self) -> Infallible {
        let mut bytes = [0; 4096];
        while self.failed.is_none() {
            let read = poll_fn(|cx| {
                let mut room = ReadBuf::new(&mut bytes);
                self.poll_receive(cx, &mut room).map_ok(|()| room.filled().len())
            });
            match read.await {
                Ok(0) => break,
                Ok(count) => {
                    self.unread.extend_from_slice(bytes.get(..count).unwrap_or_default());
                    let excess = self.unread.len().saturating_sub(MAX_UNREAD);
                    self.unread.drain(..excess);
                }
                Err(error) => self.failed = Some(error),
            }
        }
        std::future::pending().await
    }

    /// Reads what comes, past what was put back.
    fn poll_receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_typist(cx);
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        let received = buf.filled().get(before..).unwrap_or_default();
        if !received.is_empty() {
            (self.tap)(Direction::Rx, received);
            self.received.push(received);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> Console<S> {
    /// Sends what others type, as far as the line takes it.
    fn poll_typist(&mut self, cx: &mut Context<'_>) {
        let Some(typist) = &mut self.typist else { return };
        loop {
            if typist.poll_break(cx, &mut self.stream).is_pending()
                || typist.poll_next(cx, &mut self.stream).is_pending()
            {
                return;
            }
            // Whoever reads the line learns what is wrong with it.
            let Poll::Ready(Ok(count @ 1..)) = Pin::new(&mut self.stream).poll_write(cx, &typist.pending)
            else {
                return;
            };
            let sent: Vec<u8> = typist.pending.drain(..count).collect();
            (self.tap)(Direction::Tx, &sent);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Console<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.unread.is_empty() {
            this.poll_typist(cx);
            let count = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.unread[..count]);
            this.unread.drain(..count);
            return Poll::Ready(Ok(()));
        }
        match this.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => this.poll_receive(cx, buf),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Console<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = poll
            && let Some(sent) = buf.get(..count)
            && !sent.is_empty()
        {
            (this.tap)(Direction::Tx, sent);
        }
        poll
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
