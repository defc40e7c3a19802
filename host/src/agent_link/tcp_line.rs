//! A link over TCP, beside the console that the agent was started on.
//!
//! The agent connects, and connects again whenever the connection breaks; to the link that is a line that was disturbed. What
//! the console says meanwhile is the kernel's, and goes where text between frames goes on a console.

use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::OnText;
use super::session::random;
use crate::link::{Console, Notice};
use crate::net::Net;

/// Most text of a console that is kept for who gets it back.
const MAX_LINE: usize = 4096;

/// What an agent must be told to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Where to.
    pub address: SocketAddrV4,
    /// What it says first.
    pub token: String,
}

/// A port that waits for an agent.
#[derive(Debug)]
pub struct AgentPort {
    listener: TcpListener,
    invitation: Invitation,
}

impl AgentPort {
    /// Listens at any free port of `address` in `net`.
    ///
    /// # Errors
    /// Those of the system's `bind` and `listen`; an agent knows IPv4 alone.
    pub async fn open(net: &Net, address: std::net::IpAddr) -> io::Result<Self> {
        let listener = net.listen_tcp(SocketAddr::new(address, 0)).await?;
        let SocketAddr::V4(address) = listener.local_addr()? else {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the agent knows addresses of IPv4 alone",
            ));
        };
        let token = format!("{:016x}{:016x}", random(), random());
        Ok(Self { listener, invitation: Invitation { address, token } })
    }

    /// What an agent must be told to connect.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// The line to the agent that was started on `console`. What that says goes to `on_text`, what happens to the connection
    /// to `notice`.
    pub fn beside(self, console: Console, on_text: OnText, notice: Notice) -> TcpLine {
        let greeting = format!("{}\n", self.invitation.token).into_bytes();
        TcpLine {
            listener: self.listener,
            greeting,
            connection: None,
            caller: None,
            is_missed: false,
            console,
            on_text,
            notice,
            last_line: Vec::new(),
        }
    }
}

/// The line to an agent: a connection that may break and be made anew, and a console.
///
/// Without a connection, nothing can be read or written for now. It ends when the console does.
pub struct TcpLine {
    listener: TcpListener,
    /// What an agent's connection begins with.
    greeting: Vec<u8>,
    connection: Option<TcpStream>,
    /// Who has connected last and not yet said the greeting, with what they have said.
    caller: Option<(TcpStream, Vec<u8>)>,
    /// Whether a connection has broken and is not there again.
    is_missed: bool,
    console: Console,
    on_text: OnText,
    notice: Notice,
    /// What the console has said since its last end of a line.
    last_line: Vec<u8>,
}

impl fmt::Debug for TcpLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpLine").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl TcpLine {
    /// Gives the console back; a shell's prompt that stands at its end is read again.
    pub fn into_console(mut self) -> Console {
        self.console.unread(&self.last_line);
        self.console
    }

    /// Takes what the console says; ready at its end.
    fn poll_console(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.console).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let text = buffer.filled();
                    (self.on_text)(text);
                    match text.iter().rposition(|byte| *byte == b'\n') {
                        Some(end) => self.last_line = text.get(end + 1..).unwrap_or_default().to_vec(),
                        None => self.last_line.extend_from_slice(text),
                    }
                    self.last_line.drain(..self.last_line.len().saturating_sub(MAX_LINE));
                }
                other => return other,
            }
        }
    }

    /// Takes connections; one that begins with the greeting takes the place of the one before.
    fn poll_callers(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(accepted) = self.listener.poll_accept(cx) {
            // One that has gone already, or no descriptors for now: the next is asked for when the reader is called again.
            let Ok((stream, _)) = accepted else { break };
            // Small messages that somebody waits for; a connection that cannot be set so ends soon.
            let _ = stream.set_nodelay(true);
            self.caller = Some((stream, Vec::new()));
        }
        while let Some((stream, said)) = &mut self.caller {
            let mut bytes = vec![0; self.greeting.len() - said.len()];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => said.extend_from_slice(buffer.filled()),
                Poll::Ready(_) => self.caller = None,
            }
            let Some((_, said)) = &self.caller else { continue };
            if *said == self.greeting {
                let before = self.connection.take();
                self.connection = self.caller.take().map(|(stream, _)| stream);
                // The agent may have found out first.
                if std::mem::take(&mut self.is_missed) || before.is_some() {
                    (self.notice)("the agent has connected again");
                }
                // There may be something to write, which was tried before.
                cx.waker().wake_by_ref();
            } else if !self.greeting.starts_with(said) {
                self.caller = None;
            }
        }
    }

    /// The connection has broken; what was on its way is sent again.
    fn hang_up(&mut self, why: &str) {
        self.connection = None;
        self.is_missed = true;
        (self.notice)(&format!("the agent's connection has broken ({why}); the agent connects again"));
    }
}

impl AsyncRead for TcpLine {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(ended) = this.poll_console(cx) {
            return Poll::Ready(ended);
        }
        this.poll_callers(cx);
        let Some(connection) = &mut this.connection else { return Poll::Pending };
        let before = buf.filled().len();
        match Pin::new(connection).poll_read(cx, buf) {
            Poll::Ready(Ok(())) if buf.filled().len() > before => return Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) => this.hang_up("closed by the board"),
            Poll::Ready(Err(error)) => this.hang_up(&error.to_string()),
            Poll::Pending => {}
        }
        Poll::Pending
    }
}

impl AsyncWrite for TcpLine {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Without a connection, the reader is woken by the next one.
        let Some(connection) = &mut this.connection else { return Poll::Pending };
        match Pin::new(connection).poll_write(cx, buf) {
            Poll::Ready(Err(error)) => {
                this.hang_up(&error.to_string());
                Poll::Pending
            }
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has no buffer of ours.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().connection {
            Some(connection) => Pin::new(connection).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
