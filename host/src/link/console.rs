//! The one owner of a board's line.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::dialog::Scan;
use crate::event::Direction;

use super::share::{ConsoleShare, Typed, TypedBytes};

/// How long a break is, where this PC makes it: longer than any character, and than what SysRq wants.
const BREAK_TIME: Duration = Duration::from_millis(300);

/// Reads of 4 KiB that empty any line: the kernel keeps 64 KiB of a serial port, and some megabytes of a TCP connection.
const MAX_WAITING_CHUNKS: usize = 2048;

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
    /// [`io::ErrorKind::Unsupported`] where the line has no such thing.
    fn set_break(&mut self, _on: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
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
                        (self.tell)(
                            "the agent has the console while test definitions run: it throws keys away",
                        );
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
        });
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
        Self { stream, tap, unread: Vec::new(), received: Scan::default(), typist: None }
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Says whether an agent reads the line, which makes nothing of what people type: they are told so.
    pub fn set_agent(&mut self, has_line: bool) {
        if let Some(typist) = &mut self.typist {
            typist.agent = has_line.then_some(false);
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
            let read = std::future::poll_fn(|cx| {
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
        this.poll_typist(cx);
        if !this.unread.is_empty() {
            let count = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.unread[..count]);
            this.unread.drain(..count);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(cx, buf);
        let received = &buf.filled()[before..];
        if !received.is_empty() {
            (this.tap)(Direction::Rx, received);
            this.received.push(received);
        }
        poll
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
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn every_chunk_is_reported_once_in_each_direction() {
        let (near, mut far) = tokio::io::duplex(64);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tap: Tap = {
            let seen = seen.clone();
            Arc::new(move |direction, bytes| seen.lock().unwrap().push((direction, bytes.to_vec())))
        };
        let mut console = Console::new(near, tap);

        far.write_all(b"=> ").await.unwrap();
        let mut buffer = [0; 16];
        let count = console.read(&mut buffer).await.unwrap();
        console.unread(&buffer[..count]);
        assert_eq!(console.read(&mut buffer[..2]).await.unwrap(), 2);
        assert_eq!(console.read(&mut buffer[2..]).await.unwrap(), 1);
        assert_eq!(&buffer[..3], b"=> ");
        console.write_all(b"boot\n").await.unwrap();

        let expected = [(Direction::Rx, b"=> ".to_vec()), (Direction::Tx, b"boot\n".to_vec())];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
