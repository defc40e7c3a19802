//! The reliable link over frames: messages arrive once, in order, or the link says why not.
//!
//! ```text
//!              both Hellos                close, or the other end's Close
//!   Connecting ───────────▶ Open ───────────────────────────────────────────▶ Closing ──▶ Closed
//!        └───────────────────┴──────── version, silence, restart ─────────────────┴─────▶ Failed
//! ```
//!
//! Both ends are the same machine; they differ in who speaks first. Each end has an id, new for every start of
//! the program; the agent's is the session number of all frames. A Hello tells the sender's versions, its id, and the id that
//! it knows of the other end; an end is open once it has heard its own id, so nothing left over from an earlier session can open a
//! link. Up to [`WINDOW`] messages are on their way at a time. An end that says nothing gives a sign of life now and
//! then, so silence means that the other end or the line is gone.
//!
//! # Use
//!
//! After every call of [`handle_input`](Link::handle_input), [`handle_timeout`](Link::handle_timeout),
//! [`send`](Link::send) or [`receive`](Link::receive): call [`poll_transmit`](Link::poll_transmit) until it
//! returns 0 and write what it gave; then wait for input or until [`poll_timeout`](Link::poll_timeout). While that cannot be
//! written, wait until [`poll_blocked_timeout`](Link::poll_blocked_timeout) instead. Take messages with `receive` until `None`: the other end sends no further than what was taken.

mod error;
mod handshake;
mod peer;
mod receiver;
mod rtt;
mod sender;

use serde::Serialize;

pub use self::error::{LinkError, SendError};
use self::peer::Peer;
use crate::frame::{Decoder, Kind, Rejects, Side};
use crate::limits::MAX_MESSAGE;

/// Messages that may be on their way in one direction.
pub const WINDOW: usize = 8;

/// Places of the window that pieces of a stream leave free for messages that somebody waits for.
const KEPT: usize = 2;

/// What a link needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Which end this is.
    pub side: Side,
    /// Identifies this run of the program to the other end; not 0, and another one after a restart.
    pub id: u32,
    /// What the line carries, in bytes per second; `None` if it need not be paced (SSH, sockets, QEMU).
    pub bytes_per_s: Option<u32>,
    /// Silence after which the link is lost, in milliseconds.
    pub silence_ms: u64,
}

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The other end has not been heard, or has not heard this one. Messages can be queued already.
    Connecting,
    /// Messages flow.
    Open,
    /// One end has no more messages; those on their way are still delivered.
    Closing,
    /// All messages before the close were delivered, and both ends know.
    Closed,
    /// Nothing will be delivered any more.
    Failed(LinkError),
}

/// What happened on a link, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames of the other end that were taken, of every kind.
    pub heard: u32,
    /// What was not a frame of ours.
    pub rejects: Rejects,
    /// Frames that arrived again.
    pub duplicates: u32,
    /// Frames that were sent again.
    pub resent: u32,
    /// Own frames that came back, or frames of another session or version.
    pub strays: u32,
}

/// One end of a link.
#[derive(Debug)]
pub struct Link {
    decoder: Decoder,
    peer: Peer,
}

impl Link {
    /// An end that starts at `now_ms`. Times are milliseconds of any clock that never goes back.
    pub fn new(config: Config, now_ms: u64) -> Self {
        Self { decoder: Decoder::new(), peer: Peer::new(config, now_ms) }
    }

    /// Where the link stands.
    pub const fn state(&self) -> State {
        self.peer.state
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        Counters {
            heard: self.peer.heard_frames,
            rejects: self.decoder.rejects(),
            duplicates: self.peer.receiver.duplicates(),
            resent: self.peer.sender.resent(),
            strays: self.peer.strays,
        }
    }

    /// When the other end was last heard and with what, `None` if never: for errors about waits.
    pub fn last_heard(&self) -> Option<(u64, Kind)> {
        Some((self.peer.heard_at, self.peer.heard?))
    }

    /// Asks the other end of an open link for a sign of life: it answers at once, which
    /// [`Counters::heard`] and [`last_heard`](Self::last_heard) show.
    pub const fn probe(&mut self, now_ms: u64) {
        self.peer.probe(now_ms);
    }

    /// Takes all of `bytes` from the line. `passthrough` is given what belongs to no frame.
    pub fn handle_input(&mut self, now_ms: u64, mut bytes: &[u8], passthrough: &mut impl FnMut(&[u8])) {
        while let Some(frame) = self.decoder.decode(&mut bytes, passthrough) {
            self.peer.handle_frame(now_ms, &frame);
        }
    }

    /// Gives `passthrough` what is held back as the beginning of a frame: call it when the line is left.
    pub fn flush(&mut self, passthrough: &mut impl FnMut(&[u8])) {
        self.decoder.flush(passthrough);
    }

    /// Does what is due at `now_ms`.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.peer.handle_timeout(now_ms);
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) are to be called again
    /// at the latest, given that the latter returned 0.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.peer.poll_timeout()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called again at the latest, while what
    /// [`poll_transmit`](Self::poll_transmit) gave cannot be written and nothing more is asked of it.
    pub fn poll_blocked_timeout(&self) -> Option<u64> {
        self.peer.poll_act_timeout()
    }

    /// Writes the next frame to `out` and returns its length, 0 if nothing is to be sent now.
    ///
    /// `out` must have [`MAX_ENCODED`](crate::frame::MAX_ENCODED) bytes.
    pub fn poll_transmit(&mut self, now_ms: u64, out: &mut [u8]) -> usize {
        self.peer.poll_transmit(now_ms, out).unwrap_or(0)
    }

    /// Whether [`send`](Self::send) would take a message.
    pub fn can_send(&self) -> bool {
        matches!(self.peer.state, State::Connecting | State::Open) && self.peer.sender.has_room()
    }

    /// Whether [`send`](Self::send) would take two messages, of which the first is about the second.
    pub fn can_send_pair(&self) -> bool {
        self.can_send() && self.peer.sender.queued() + 1 < WINDOW
    }

    /// Whether everything sent was taken by the program at the other end.
    pub fn is_delivered(&self) -> bool {
        self.peer.sender.queued() == 0
    }

    /// Whether a piece of a stream may be sent. A stream that never ends must not keep everything else waiting, so this is
    /// false while [`can_send`](Self::can_send) is still true.
    pub fn can_stream(&self) -> bool {
        self.can_send() && self.peer.sender.queued() < WINDOW - KEPT
    }

    /// How many bytes of a stream (output, a file) the next message should carry, at most
    /// [`MAX_CHUNK`](crate::limits::MAX_CHUNK): fewer on a line that damages long frames.
    pub const fn chunk(&self) -> usize {
        self.peer.sender.chunk()
    }

    /// Queues one message.
    ///
    /// # Errors
    /// [`SendError`]; the message was not queued.
    pub fn send(&mut self, message: &impl Serialize) -> Result<(), SendError> {
        if !matches!(self.peer.state, State::Connecting | State::Open) {
            return Err(SendError::NotOpen(self.peer.state));
        }
        if !self.peer.sender.has_room() {
            return Err(SendError::Full);
        }
        self.peer.sender.queue(Kind::Data, |payload| {
            // The room is there; only its length is set by this.
            let _ = payload.resize_default(MAX_MESSAGE);
            let length = crate::message::encode(message, payload).map_err(SendError::Encode)?.len();
            payload.truncate(length);
            Ok(())
        })
    }

    /// The next message in order, if it has arrived. Taking it is what acknowledges it.
    pub fn receive(&mut self, now_ms: u64) -> Option<&[u8]> {
        self.peer.take_close(now_ms);
        if matches!(self.peer.state, State::Failed(_)) || self.peer.receiver.peek() != Some(Kind::Data) {
            return None;
        }
        self.peer.receiver.take(now_ms)
    }

    /// Says that no message follows those queued. The state is [`State::Closed`] once all were delivered.
    ///
    /// False if the window is full: call it again when an acknowledgement came. A link that was never open is closed
    /// at once.
    #[must_use]
    pub fn close(&mut self, now_ms: u64) -> bool {
        self.peer.close(now_ms)
    }
}
