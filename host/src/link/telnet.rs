//! A console behind a telnet port (ser2net's `telnet` accepter): the adapter around the pure [`Telnet`] codec.

mod codec;

pub use codec::Telnet;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Port;

/// Bytes accepted per write; bounds what is held for the peer.
const CHUNK: usize = 4096;

/// A byte stream with telnet taken out: reads yield the board's bytes, writes may hold any byte.
#[derive(Debug)]
pub struct TelnetStream<S> {
    stream: S,
    codec: Telnet,
    /// Decoded, not yet read.
    input: Vec<u8>,
    /// Encoded, not yet sent.
    output: Vec<u8>,
    /// A writer that waits while the reader sends negotiation replies.
    writer: Option<Waker>,
}

impl<S> TelnetStream<S> {
    /// Speaks telnet on `stream`; the first bytes sent ask for binary mode.
    pub fn new(stream: S) -> Self {
        let codec = Telnet::new();
        let output = Telnet::offer();
        Self { stream, codec, input: Vec::new(), output, writer: None }
    }
}

impl<S: AsyncWrite + Unpin> TelnetStream<S> {
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Port for TelnetStream<S> {
    /// The server makes the break, and how long it is; it leaves with the next write or read.
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        if on {
            self.output.extend(Telnet::BREAK);
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TelnetStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.input.is_empty() {
                let count = this.input.len().min(buf.remaining());
                buf.put_slice(&this.input[..count]);
                this.input.drain(..count);
                return Poll::Ready(Ok(()));
            }
            // The stream keeps one write waker: what the reader displaces is woken when the replies are out.
            if !this.output.is_empty()
                && this.poll_output(cx)?.is_ready()
                && let Some(writer) = this.writer.take()
            {
                writer.wake();
            }
            let mut raw = [0; CHUNK];
            let mut raw = ReadBuf::new(&mut raw);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut raw))?;
            if raw.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.codec.decode(raw.filled(), &mut this.input, &mut this.output);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TelnetStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.poll_output(cx)?.is_pending() {
            this.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let chunk = &buf[..buf.len().min(CHUNK)];
        this.codec.encode(chunk, &mut this.output);
        // The chunk is accepted whatever the stream takes of it now; the rest leaves with the next write or flush.
        let _ = this.poll_output(cx)?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_output(cx)?.is_pending() {
            this.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_output(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
