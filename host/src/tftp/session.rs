//! One transfer with its socket, its file and its clock.
//!
//! On a thread of its own ([`Session::run`]) the socket blocks, because a transfer in lock-step is one wait after the other:
//! each block then takes one `send` and one `recv` and nothing else. Where there are many transfers, threads are the dearer
//! way, and a session is told when its socket has something ([`Session::receive`], [`Session::handle_timeout`]).

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
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

/// Stack of a thread that serves transfers, in bytes.
pub(super) const STACK: usize = 512 << 10;

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
    peer: SocketAddr,
    name: String,
    content: Content,
    transfer: Transfer,
    control: Arc<Control>,
    events: Events,
    wire: Wire,
    started: Instant,
    reported: Instant,
}

impl Session {
    /// A transfer of `name` to `peer`, to whom the socket of `control` is connected.
    pub(super) fn new(
        peer: SocketAddr,
        name: String,
        content: Content,
        transfer: Transfer,
        control: Arc<Control>,
        events: Events,
    ) -> Self {
        let wire = Wire::new(Arc::clone(&control.socket));
        let now = Instant::now();
        Self { peer, name, content, transfer, control, events, wire, started: now, reported: now }
    }

    /// Serves the client until the file is there or the transfer failed; returns which.
    pub(super) fn run(mut self) -> bool {
        self.begin();
        while self.is_going_on() {
            self.wait();
        }
        self.finish()
    }

    /// Says that the transfer has started.
    pub(super) fn begin(&self) {
        self.emit(TftpEventKind::Started {
            size: self.content.size(),
            block_size: self.transfer.block_size(),
            window: self.transfer.window(),
        });
    }

    /// Sends all that is due; returns whether something is to be waited for after that.
    pub(super) fn is_going_on(&mut self) -> bool {
        if let Err(failure) = self.transmit() {
            self.transfer.abort(failure);
            // The first failure is reported; that its farewell fails too adds nothing.
            let _ = self.transmit();
        }
        self.transfer.outcome().is_none()
    }

    /// Says how the transfer has ended; returns whether the client has the file.
    pub(super) fn finish(self) -> bool {
        let kind = match self.transfer.outcome() {
            Some(Ok(done)) => TftpEventKind::Done {
                bytes: done.bytes,
                took: self.started.elapsed(),
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
    fn transmit(&mut self) -> Result<(), Failure> {
        let Self { transfer, content, control, wire, .. } = self;
        while let Some(transmit) = transfer.poll_transmit() {
            match transmit {
                Transmit::Datagram(bytes) => wire.burst.send_other(&wire.socket, &bytes).or_else(lost)?,
                Transmit::Block { number, range } => {
                    wire.burst.prepare(&wire.socket, transfer.block_size(), transfer.window());
                    if transfer.has_sent_all() {
                        // Known before the client can have the last block, and answer.
                        control.set_all_sent();
                    }
                    let block = |out: &mut Vec<u8>| {
                        emit_data_header(number, out);
                        content.read(range, out)
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

    /// Waits for one thing to happen and deals with it.
    fn wait(&mut self) {
        let left = self.transfer.poll_timeout().map_or(MIN_WAIT, |at| at.duration_since(Instant::now()));
        let received = self.wire.receive(left);
        let now = Instant::now();
        self.handle(now, received);
        self.handle_timeout(now);
    }

    /// Receives what is here, at `now`, and deals with it.
    pub(super) fn receive(&mut self, now: Instant) {
        let received = self.wire.receive_at_once().map(Option::unwrap_or_default);
        self.handle(now, received);
    }

    fn handle(&mut self, now: Instant, received: io::Result<usize>) {
        match received {
            Ok(length) => {
                self.transfer.handle_input(now, self.wire.reply(length));
                if self.transfer.has_begun() {
                    self.control.set_answered(now);
                }
            }
            Err(error) if is_fatal(&error) => self.transfer.abort(Failure::Socket(error.into())),
            Err(_) => {}
        }
        if let Some(why) = self.control.ended() {
            // What the client said before that counts: it may have everything.
            while let Ok(Some(length)) = self.wire.receive_at_once() {
                self.transfer.handle_input(now, self.wire.reply(length));
            }
            self.transfer.abort(why.clone());
        }
    }

    /// Deals with what is due at `now`.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.transfer.handle_timeout(now);
        if now.duration_since(self.reported) >= PROGRESS_INTERVAL && self.transfer.outcome().is_none() {
            self.reported = now;
            let (done, total) = (self.transfer.acknowledged(), self.content.size());
            self.emit(TftpEventKind::Progress { done, total });
        }
    }

    fn emit(&self, kind: TftpEventKind) {
        (self.events)(TftpEvent { peer: self.peer, name: self.name.clone(), kind });
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.socket.as_fd()
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

    /// The datagram of this length that was received last.
    fn reply(&self, length: usize) -> &[u8] {
        self.reply.get(..length).unwrap_or_default()
    }

    /// Receives one datagram, or fails after at most `left` or little more; often earlier: telling the socket another
    /// wait for every block would be a third system call.
    fn receive(&mut self, left: Duration) -> io::Result<usize> {
        let left = left.max(MIN_WAIT);
        if self.waits > left || self.waits * 2 < left {
            self.waits = (left * 3 / 4).max(MIN_WAIT);
            self.socket.set_read_timeout(Some(self.waits))?;
        }
        let Self { socket, reply, pace, .. } = self;
        pace.wait(|flags| receive(socket, reply, flags)).map(Option::unwrap_or_default)
    }

    /// Receives a datagram that is here already; `None` if there is none, or at the end that [`Control::end`] makes.
    fn receive_at_once(&mut self) -> io::Result<Option<usize>> {
        let received = receive(&self.socket, &mut self.reply, RecvFlags::DONTWAIT)?;
        Ok(received.filter(|length| *length > 0))
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
