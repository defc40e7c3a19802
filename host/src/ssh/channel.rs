//! A command that runs on the host: its standard streams and its end.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::SshError;
use super::connect::End;
use crate::text::{keep_last, tail};

/// Bytes buffered in each direction.
const BUFFER: usize = 64 * 1024;

/// How much of the end of the standard error is kept, in bytes.
const KEPT_STDERR: usize = 4096;

/// SSH's number for the standard error among extended data (RFC 4254 §5.2).
const STDERR: u32 = 1;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecStatus {
    /// By itself, with this status.
    Code(u32),
    /// By this signal, named without `SIG`.
    Signal(String),
}

impl fmt::Display for ExecStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The end of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecEnd {
    /// How it ended.
    pub status: ExecStatus,
    /// The last 4 KiB of its standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

/// A running command: reads its standard output, writes its standard input.
///
/// Shutting down the writing side ends the command's input. Dropping the channel closes it: input and output end for the command,
/// which the host does not kill.
/// Reads and writes may be dropped half-way without loss.
#[derive(Debug)]
pub struct SshChannel {
    stream: DuplexStream,
    pump: JoinHandle<Result<ExecEnd, SshError>>,
    closing: DropGuard,
}

impl SshChannel {
    pub(super) fn new(channel: Channel<Msg>, end: End) -> Self {
        let (stream, theirs) = tokio::io::duplex(BUFFER);
        let token = CancellationToken::new();
        let (from_host, to_host) = channel.split();
        let pump = tokio::spawn(pump(from_host, to_host, theirs, token.clone(), end));
        Self { stream, pump, closing: token.drop_guard() }
    }

    /// Ends the command's input, discards what it still prints, and waits at most `limit` for its end.
    ///
    /// # Errors
    /// [`SshError::Lost`] if the connection ended first; [`SshError::Timeout`].
    pub async fn finish(self, limit: Duration) -> Result<ExecEnd, SshError> {
        let Self { stream, pump, closing } = self;
        drop(stream);
        let ended = timeout(limit, pump).await;
        drop(closing);
        match ended {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(SshError::Lost { reason: error.to_string() }),
            Err(_) => Err(SshError::Timeout { awaited: "end of a command over SSH", limit }),
        }
    }
}

impl SshChannel {
    /// Waits for the end of the command, whose output has ended.
    ///
    /// # Errors
    /// [`SshError::Lost`] if the connection ended first.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<ExecEnd, SshError>> {
        let ended = ready!(Pin::new(&mut self.pump).poll(cx));
        Poll::Ready(ended.unwrap_or_else(|error| Err(SshError::Lost { reason: error.to_string() })))
    }
}

impl AsyncRead for SshChannel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for SshChannel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Carries bytes between the channel and `stream` until the channel ends.
async fn pump(
    from_host: ChannelReadHalf,
    to_host: ChannelWriteHalf<Msg>,
    stream: DuplexStream,
    closing: CancellationToken,
    end: End,
) -> Result<ExecEnd, SshError> {
    let (reader, writer) = tokio::io::split(stream);
    let input = async {
        feed(&to_host, reader).await;
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = drain(from_host, writer) => ended,
        () = input => None,
        () = closing.cancelled() => None,
    };
    // It is closed already when the host ended it.
    let _ = to_host.close().await;
    ended.ok_or_else(|| SshError::Lost { reason: end.reason("the host closed the channel") })
}

/// Carries the command's input; returns at its end, or when the channel takes no more.
async fn feed(to_host: &ChannelWriteHalf<Msg>, mut reader: ReadHalf<DuplexStream>) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if to_host.data_bytes(bytes).await.is_err() {
            return;
        }
    }
    let _ = to_host.eof().await;
}

/// Carries the command's output until the channel ends; `None` if it ended without saying how.
async fn drain(mut from_host: ChannelReadHalf, mut writer: WriteHalf<DuplexStream>) -> Option<ExecEnd> {
    let mut status = None;
    let mut stderr = Vec::new();
    while let Some(message) = from_host.wait().await {
        match message {
            // Output that nobody wants is dropped.
            ChannelMsg::Data { data } => drop(writer.write_all(&data).await),
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                // One more tells that there were more.
                keep_last(&mut stderr, &data, KEPT_STDERR + 1);
            }
            ChannelMsg::ExitStatus { exit_status } => status = Some(ExecStatus::Code(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                status = Some(ExecStatus::Signal(name(signal_name)))
            }
            ChannelMsg::Eof => drop(writer.shutdown().await),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    status.map(|status| ExecEnd { status, stderr: tail(&stderr, KEPT_STDERR) })
}

fn name(signal: Sig) -> String {
    match signal {
        Sig::Custom(name) => name,
        known => format!("{known:?}"),
    }
}
