//! One transfer with its socket, its file and its clock, on a thread of its own.
//!
//! A blocking socket, because a transfer in lock-step is one wait after the other: each block then takes one `send` and
//! one `recv` and nothing else. The thread ends with the transfer, and nobody waits long for one that a disk keeps.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::burst::Burst;
use super::event::{TftpEvent, TftpEventKind};
use super::packet::emit_data_header;
use super::source::Content;
use super::transfer::{Failure, Transfer, Transmit};
use crate::pace::Pace;

/// Shortest time between two events of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Clients send acknowledgements and errors; what is longer is cut, and still read.
const MAX_REPLY: usize = 600;
/// Shortest wait that the socket is told.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// Where events go.
pub(super) type Events = Arc<dyn Fn(TftpEvent) + Send + Sync>;

/// What the server tells a running transfer, and what it sees of it.
#[derive(Debug)]
pub(super) struct Control {
    socket: Arc<UdpSocket>,
    end: OnceLock<Failure>,
    /// All blocks were sent: what comes next from a client that has them is its next request.
    all_sent: AtomicBool,
    made: Instant,
    /// When the client answered last, in microseconds since `made`; 0 if it never has.
    answered: AtomicU64,
}

impl Control {
    /// For the transfer that has `socket`.
    pub(super) fn new(socket: Arc<UdpSocket>) -> Self {
        Self {
            socket,
            end: OnceLock::new(),
            all_sent: AtomicBool::new(false),
            made: Instant::now(),
            answered: AtomicU64::new(0),
        }
    }

    /// Ends the transfer; only the first reason counts.
    pub(super) fn end(&self, why: Failure) {
        // Lost if another reason was there first, and a socket that cannot be shut down wakes at its timer.
        let _ = self.end.set(why);
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Read);
    }

    /// Why the transfer is to end, if it is.
    pub(super) fn ended(&self) -> Option<&Failure> {
        self.end.get()
    }

    fn set_all_sent(&self) {
        self.all_sent.store(true, Ordering::Relaxed);
    }

    /// Returns whether the whole file was sent at least once.
    pub(super) fn has_sent_all(&self) -> bool {
        self.all_sent.load(Ordering::Relaxed)
    }

    /// Notes that the client answered at `now`.
    fn set_answered(&self, now: Instant) {
        let since = u64::try_from(now.duration_since(self.made).as_micros()).unwrap_or(u64::MAX);
        self.answered.store(since.max(1), Ordering::Relaxed);
    }

    /// Returns how long the client has not answered; `None` if it never has.
    pub(super) fn silence(&self) -> Option<Duration> {
        let answered = self.answered.load(Ordering::Relaxed);
        (answered > 0).then(|| self.made.elapsed().saturating_sub(Duration::from_micros(answered)))
    }
}

/// A transfer and all that it needs.
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    pub(super) name: String,
    /// Connected to the peer, and blocking.
    pub(super) socket: Arc<UdpSocket>,
    pub(super) content: Content,
    pub(super) transfer: Transfer,
    pub(super) control: Arc<Control>,
    pub(super) events: Events,
}

impl Session {
    /// Serves the client until the file is there or the transfer failed; returns which.
    pub(super) fn run(mut self) -> bool {
        let started = Instant::now();
        let mut reported = started;
        self.emit(TftpEventKind::Started {
            size: self.content.size(),
            block_size: self.transfer.block_size(),
            window: self.transfer.window(),
        });
        let mut wire = Wire::new(Arc::clone(&self.socket));
        loop {
            if let Err(failure) = self.transmit(&mut wire) {
                self.transfer.abort(failure);
                // The first failure is reported; that its farewell fails too adds nothing.
                let _ = self.transmit(&mut wire);
            }
            if self.transfer.outcome().is_some() {
                break;
            }
            let now = self.wait(&mut wire);
            if now.duration_since(reported) >= PROGRESS_INTERVAL {
                reported = now;
                let (done, total) = (self.transfer.acknowledged(), self.content.size());
                self.emit(TftpEventKind::Progress { done, total });
            }
        }
        let kind = match self.transfer.outcome() {
            Some(Ok(done)) => TftpEventKind::Done {
                bytes: done.bytes,
                took: started.elapsed(),
                block_size: self.transfer.block_size(),
                window: self.transfer.window(),
                retransmits: done.retransmits,
            },
            Some(Err(failure)) => TftpEventKind::Failed(failure.clone()),
            None => return false,
        };
        let done = matches!(kind, TftpEventKind::Done { .. });
        self.emit(kind);
        done
    }

    /// Sends all that is due.
    fn transmit(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        while let Some(transmit) = self.transfer.poll_transmit() {
            match transmit {
                Transmit::Datagram(bytes) => wire.burst.send_other(&wire.socket, &bytes).or_else(lost)?,
                Transmit::Block { number, range } => {
                    wire.burst.prepare(&wire.socket, self.transfer.block_size(), self.transfer.window());
                    if self.transfer.has_sent_all() {
                        // Known before the client can have the last block, and answer.
                        self.control.set_all_sent();
                    }
                    let block = |out: &mut Vec<u8>| {
                        emit_data_header(number, out);
                        self.content.read(range, out)
                    };
                    wire.burst.push(block).map_err(|error| Failure::Read(error.into()))?;
                    if wire.burst.is_full() {
                        wire.burst.flush(&wire.socket).or_else(lost)?;
                    }
                }
            }
        }
        wire.burst.flush(&wire.socket).or_else(lost)
    }

    /// Waits for one thing to happen and tells the machine; returns the time at which it happened.
    fn wait(&mut self, wire: &mut Wire) -> Instant {
        let left = self.transfer.poll_timeout().map_or(MIN_WAIT, |at| at.duration_since(Instant::now()));
        let received = wire.receive(left);
        let now = Instant::now();
        match received {
            Ok(reply) => {
                self.transfer.handle_input(now, reply);
                if self.transfer.has_begun() {
                    self.control.set_answered(now);
                }
            }
            Err(error) if is_fatal(&error) => self.transfer.abort(Failure::Socket(error.into())),
            Err(_) => {}
        }
        if let Some(why) = self.control.ended() {
            // What the client said before that counts: it may have everything.
            while let Ok(Some(reply)) = wire.receive_at_once() {
                self.transfer.handle_input(now, reply);
            }
            self.transfer.abort(why.clone());
            return now;
        }
        self.transfer.handle_timeout(now);
        now
    }

    fn emit(&self, kind: TftpEventKind) {
        (self.events)(TftpEvent { peer: self.peer, name: self.name.clone(), kind });
    }
}

/// The socket, its buffers and how long it waits.
struct Wire {
    socket: Arc<UdpSocket>,
    burst: Burst,
    reply: [u8; MAX_REPLY],
    waits: Duration,
    pace: Pace,
}

impl Wire {
    fn new(socket: Arc<UdpSocket>) -> Self {
        Self {
            socket,
            burst: Burst::default(),
            reply: [0; MAX_REPLY],
            waits: Duration::ZERO,
            pace: Pace::default(),
        }
    }

    /// Receives one datagram, or fails after at most `left` or little more; often earlier: telling the socket another
    /// wait for every block would be a third system call.
    fn receive(&mut self, left: Duration) -> io::Result<&[u8]> {
        let left = left.max(MIN_WAIT);
        if self.waits > left || self.waits * 2 < left {
            self.waits = (left * 3 / 4).max(MIN_WAIT);
            self.socket.set_read_timeout(Some(self.waits))?;
        }
        let Self { socket, reply, pace, .. } = self;
        let length = pace.wait(|flags| receive(socket, reply, flags))?.unwrap_or_default();
        Ok(self.reply.get(..length).unwrap_or_default())
    }

    /// Receives a datagram that is here already; `None` if there is none, or at the end that [`Control::end`] makes.
    fn receive_at_once(&mut self) -> io::Result<Option<&[u8]>> {
        let length =
            receive(&self.socket, &mut self.reply, RecvFlags::DONTWAIT)?.filter(|length| *length > 0);
        Ok(length.and_then(|length| self.reply.get(..length)))
    }
}

/// Receives one datagram; `None` if there is none and the socket is not to be waited for.
fn receive(socket: &UdpSocket, reply: &mut [u8], flags: RecvFlags) -> io::Result<Option<usize>> {
    match rustix::net::recv(socket, reply, flags) {
        Ok((length, _)) => Ok(Some(length)),
        Err(Errno::AGAIN) if flags.contains(RecvFlags::DONTWAIT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A failure to send that does not end the transfer is a lost datagram; the timer sends it again.
fn lost(error: io::Error) -> Result<(), Failure> {
    if is_fatal(&error) { Err(Failure::Socket(error.into())) } else { Ok(()) }
}

/// Returns whether the client is gone or the socket unusable; a network that is down for a moment is neither.
fn is_fatal(error: &io::Error) -> bool {
    let passing = matches!(
        error.kind(),
        io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    );
    !passing && error.raw_os_error() != Some(Errno::NOBUFS.raw_os_error())
}
