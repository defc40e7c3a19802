//! A stream to a host that outlives its connections.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::{ExecEnd, ExecStatus, SshChannel, SshError, SshSession, SshTarget, connect};
use crate::fault::Chain;
use crate::link::Notice;

/// How long a lost connection is tried to be made anew.
const RECONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Pause between two connections on which the command cannot be called.
const PAUSE: Duration = Duration::from_millis(500);

type Reconnecting = Pin<Box<dyn Future<Output = Result<(SshSession, SshChannel), SshError>> + Send>>;

/// A command's input and output. When the connection is lost, or the command ends with anything but exit status 0, the connection
/// is made anew and the command is called again; what was on its way is lost. Without a connection, nothing can be read or written for now.
pub struct LastingChannel {
    target: SshTarget,
    command: String,
    notice: Notice,
    state: State,
}

enum State {
    Connected(SshSession, SshChannel),
    Reconnecting(Reconnecting),
    /// The command has ended with exit status 0.
    Ended(SshSession),
    /// The connection could not be made anew, or there was none when the channel went.
    Gone,
}

impl fmt::Debug for LastingChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastingChannel").field("target", &self.target).finish_non_exhaustive()
    }
}

impl LastingChannel {
    /// Calls `command` over `session`, which was made to `target`; tells `notice` of lost and of new connections.
    ///
    /// # Errors
    /// Those of [`SshSession::exec`].
    pub async fn open(
        target: SshTarget,
        session: SshSession,
        command: String,
        notice: Notice,
    ) -> Result<Self, SshError> {
        let channel = session.exec(&command).await?;
        Ok(Self { target, command, notice, state: State::Connected(session, channel) })
    }

    /// The connection as it is now, if there is one.
    pub fn into_session(self) -> Option<SshSession> {
        match self.state {
            State::Connected(session, _) | State::Ended(session) => Some(session),
            State::Reconnecting(_) | State::Gone => None,
        }
    }

    /// Waits for a channel; `None` once the command has ended.
    fn poll_channel(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<&mut SshChannel>>> {
        if let State::Reconnecting(connecting) = &mut self.state {
            match ready!(connecting.as_mut().poll(cx)) {
                Ok((session, channel)) => {
                    (self.notice)(&format!("ssh to {} is up again", self.target.address));
                    self.state = State::Connected(session, channel);
                    // There may be something to write, which was tried before.
                    cx.waker().wake_by_ref();
                }
                Err(error) => {
                    self.state = State::Gone;
                    return Poll::Ready(Err(io::Error::other(error)));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Connected(_, channel) => Ok(Some(channel)),
            State::Ended(_) => Ok(None),
            State::Reconnecting(_) | State::Gone => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    fn reconnect(&mut self, why: &str) {
        (self.notice)(&format!("ssh to {}: {why}; connecting again", self.target.address));
        let (target, command) = (self.target.clone(), self.command.clone());
        self.state = State::Reconnecting(Box::pin(async move {
            let deadline = Instant::now() + RECONNECT_LIMIT;
            loop {
                let session = connect(&target, deadline, |_| ()).await?;
                match session.exec(&command).await {
                    Ok(channel) => return Ok((session, channel)),
                    Err(error) if Instant::now() >= deadline => return Err(error),
                    // This connection is lost, too.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }));
    }

    /// The channel has ended: with the command, or with the connection, which is made anew.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let State::Connected(_, channel) = &mut self.state else { return Poll::Ready(()) };
        let end = ready!(channel.poll_end(cx));
        let State::Connected(session, _) = std::mem::replace(&mut self.state, State::Gone) else {
            return Poll::Ready(());
        };
        match end {
            Ok(ExecEnd { status: ExecStatus::Code(0), .. }) => self.state = State::Ended(session),
            // The command was ended, and has not ended.
            Ok(end) => self.reconnect(&format!("the command ended with {}", end.status)),
            Err(error) => self.reconnect(&Chain(&error).to_string()),
        }
        Poll::Ready(())
    }
}

impl AsyncRead for LastingChannel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let Some(channel) = ready!(this.poll_channel(cx))? else { return Poll::Ready(Ok(())) };
            let before = buf.filled().len();
            match ready!(Pin::new(channel).poll_read(cx, buf)) {
                Ok(()) if buf.filled().len() > before => return Poll::Ready(Ok(())),
                _ => ready!(this.poll_ended(cx)),
            }
        }
    }
}

impl AsyncWrite for LastingChannel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let State::Connected(_, channel) = &mut self.get_mut().state else {
            // The reader makes the next connection, and is woken with it.
            return Poll::Pending;
        };
        match Pin::new(channel).poll_write(cx, buf) {
            // The reader finds out why.
            Poll::Ready(Err(_)) => Poll::Pending,
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Connected(_, channel) => Pin::new(channel).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Connected(_, channel) => Pin::new(channel).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
