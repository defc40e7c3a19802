//! One transfer with its socket, its file and its clock.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::packet::emit_data_header;
use super::server::{TftpEvent, TftpEventKind};
use super::source::Content;
use super::transfer::{Failure, Transfer, Transmit};

/// Shortest time between two events of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Clients send acknowledgements and errors; what is longer is cut, and still read.
const MAX_REPLY: usize = 600;

/// Where events go.
pub(super) type Events = Arc<dyn Fn(TftpEvent) + Send + Sync>;

/// What the server tells a running transfer, and what it sees of it.
#[derive(Debug)]
pub(super) struct Control {
    /// The request came again.
    pub(super) repeat: Notify,
    /// Another request came from the same port.
    pub(super) replaced: CancellationToken,
    stop: CancellationToken,
    begun: AtomicBool,
}

impl Control {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            repeat: Notify::new(),
            replaced: CancellationToken::new(),
            stop,
            begun: AtomicBool::new(false),
        }
    }

    /// Returns whether the client has answered.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

/// A transfer and all that it needs.
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    pub(super) name: String,
    pub(super) socket: UdpSocket,
    pub(super) content: Content,
    pub(super) transfer: Transfer,
    pub(super) control: Arc<Control>,
    pub(super) events: Events,
}

impl Session {
    /// Serves the client until the file is there or the transfer failed.
    pub(super) async fn run(mut self) {
        let started = now();
        let mut reported = started;
        self.emit(TftpEventKind::Started {
            size: self.content.size(),
            block_size: self.transfer.block_size(),
            window: self.transfer.window(),
        });
        loop {
            if let Err(failure) = self.transmit().await {
                self.transfer.abort(failure);
                // The first failure is reported; that its farewell fails too adds nothing.
                let _ = self.transmit().await;
            }
            if self.transfer.outcome().is_some() {
                break;
            }
            if now().duration_since(reported) >= PROGRESS_INTERVAL {
                reported = now();
                let (done, total) = (self.transfer.acknowledged(), self.content.size());
                self.emit(TftpEventKind::Progress { done, total });
            }
            self.wait().await;
            self.control.begun.store(self.transfer.has_begun(), Ordering::Relaxed);
        }
        let kind = match self.transfer.outcome() {
            Some(Ok(done)) => TftpEventKind::Done {
                bytes: done.bytes,
                took: now().duration_since(started),
                retransmits: done.retransmits,
            },
            Some(Err(failure)) => TftpEventKind::Failed(failure.clone()),
            None => return,
        };
        self.emit(kind);
    }

    /// Sends all that is due.
    async fn transmit(&mut self) -> Result<(), Failure> {
        let mut datagram = Vec::new();
        while let Some(transmit) = self.transfer.poll_transmit() {
            datagram.clear();
            match transmit {
                Transmit::Datagram(bytes) => datagram = bytes,
                Transmit::Block { number, range } => {
                    emit_data_header(number, &mut datagram);
                    let read = self.content.read(range, &mut datagram).await;
                    read.map_err(|error| Failure::Read(error.into()))?;
                }
            }
            match self.socket.send(&datagram).await {
                Err(error) if is_fatal(&error) => return Err(Failure::Socket(error.into())),
                // Any other failure to send is a lost datagram; the timer sends it again.
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for one thing to happen and tells the machine.
    async fn wait(&mut self) {
        let mut reply = [0; MAX_REPLY];
        let deadline = self.transfer.poll_timeout().unwrap_or_else(now);
        tokio::select! {
            () = self.control.stop.cancelled() => self.transfer.abort(Failure::Stopped),
            () = self.control.replaced.cancelled() => self.transfer.abort(Failure::Replaced),
            () = self.control.repeat.notified() => self.transfer.handle_repeated_request(now()),
            () = tokio::time::sleep_until(deadline.into()) => self.transfer.handle_timeout(now()),
            received = self.socket.recv(&mut reply) => match received {
                Ok(length) => self.transfer.handle_input(now(), reply.get(..length).unwrap_or_default()),
                Err(error) if is_fatal(&error) => self.transfer.abort(Failure::Socket(error.into())),
                Err(_) => {}
            },
        }
    }

    fn emit(&self, kind: TftpEventKind) {
        (self.events)(TftpEvent { peer: self.peer, name: self.name.clone(), kind });
    }
}

/// Returns whether the client is gone or the socket unusable; a network that is down for a moment is neither.
fn is_fatal(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}

/// The time, by the clock that tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
