//! What a link knows of the other end, and what it does about it: everything but finding the frames.

use core::convert::Infallible;

use super::handshake::Handshake;
use super::receiver::Receiver;
use super::rtt::RoundTrip;
use super::sender::Sender;
use super::{Config, LinkError, State};
use crate::frame::{self, Frame, Header, Kind, MAX_BODY, Side};

/// How far ahead of the line frames are handed out, in milliseconds: what keeps it busy, but lets a resent frame
/// through soon.
const PACE_AHEAD_MS: u64 = 20;

/// Parts of a millisecond in which the line's time is kept, as bits: a short frame takes less than two milliseconds of a
/// fast line.
const PART_BITS: u32 = 8;

/// Shortest time-out on a link that is not slowed down by its line, in milliseconds.
const MIN_TIMEOUT_MS: u64 = 100;

/// How long the other end's last word is waited for after its Close, in milliseconds.
const LINGER_MS: u64 = 1_000;

/// How long a Close is repeated into silence, in milliseconds: by then the other end has left.
const CLOSE_SILENCE_MS: u64 = 5_000;

#[derive(Debug)]
pub(super) struct Peer {
    config: Config,
    pub(super) state: State,
    handshake: Handshake,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) heard_at: u64,
    pub(super) heard: Option<Kind>,
    pub(super) heard_frames: u32,
    pub(super) strays: u32,
    spoke_at: u64,
    /// When the line has carried everything that was handed out, in parts of a millisecond.
    line_free_parts: u64,
    /// When this end closed.
    closed_at: Option<u64>,
    /// The other end has closed: when to stop waiting for its last word.
    linger_until: Option<u64>,
    bye_due: bool,
}

impl Peer {
    pub(super) fn new(config: Config, now_ms: u64) -> Self {
        // A frame waits behind one on its way, and so does its acknowledgement.
        let line_ms =
            config.bytes_per_s.map_or(0, |rate| u64::from(2 * MAX_BODY as u32 * 1_000 / rate.max(1)));
        Self {
            config,
            state: State::Connecting,
            handshake: Handshake::new(config.side, config.id, now_ms),
            sender: Sender::new(RoundTrip::new(MIN_TIMEOUT_MS + line_ms)),
            receiver: Receiver::new(),
            heard_at: now_ms,
            heard: None,
            heard_frames: 0,
            strays: 0,
            spoke_at: now_ms,
            line_free_parts: now_ms << PART_BITS,
            closed_at: None,
            linger_until: None,
            bye_due: false,
        }
    }

    pub(super) fn close(&mut self, now_ms: u64) -> bool {
        match self.state {
            State::Connecting => self.state = State::Closed,
            State::Open if !self.sender.has_room() => return false,
            State::Open => {
                let Ok(()) = self.sender.queue(Kind::Close, |_| Ok::<(), Infallible>(()));
                self.closed_at = Some(now_ms);
                self.state = State::Closing;
            }
            State::Closing | State::Closed | State::Failed(_) => {}
        }
        true
    }

    pub(super) const fn probe(&mut self, now_ms: u64) {
        if matches!(self.state, State::Open | State::Closing) {
            self.handshake.ask(now_ms);
        }
    }

    pub(super) fn handle_frame(&mut self, now_ms: u64, frame: &Frame<'_>) {
        let header = &frame.header;
        if header.from == self.config.side {
            self.strays += 1;
            return;
        }
        match (self.state, header.kind) {
            (State::Closed | State::Failed(_), _) => return,
            (_, Kind::Hello) => self.handle_hello(now_ms, header.session, frame.payload),
            (State::Connecting, _) => {
                self.strays += 1;
                return;
            }
            _ if header.version != self.handshake.version() || header.session != self.handshake.session() => {
                self.strays += 1;
                return;
            }
            (_, Kind::Data | Kind::Close) => {
                self.sender.acknowledge(now_ms, header.ack, 0);
                self.receiver.handle(now_ms, header.seq, header.kind, frame.payload);
                if header.kind == Kind::Close && self.linger_until.is_some() {
                    self.linger_until = Some(now_ms + LINGER_MS);
                }
                self.take_close(now_ms);
            }
            (_, Kind::Ack) => {
                let arrived = frame.payload.first().copied().unwrap_or(0);
                self.sender.acknowledge(now_ms, header.ack, arrived);
            }
            (_, Kind::Bye) if self.linger_until.is_some() => self.state = State::Closed,
            (_, Kind::Bye) => {}
        }
        self.heard_at = now_ms;
        self.heard = Some(header.kind);
        self.heard_frames = self.heard_frames.wrapping_add(1);
        self.bye_due = self.closed_at.is_some() && self.sender.queued() == 0;
    }

    fn handle_hello(&mut self, now_ms: u64, id: u32, payload: &[u8]) {
        match self.handshake.handle(now_ms, id, payload) {
            Ok(true) if self.state == State::Connecting => self.state = State::Open,
            Ok(_) => {}
            Err(error) => self.state = State::Failed(error),
        }
    }

    /// Takes the other end's Close once everything before it was taken.
    pub(super) fn take_close(&mut self, now_ms: u64) {
        if self.receiver.peek() == Some(Kind::Close) && matches!(self.state, State::Open | State::Closing) {
            self.receiver.take(now_ms);
            self.receiver.want_ack(now_ms);
            self.linger_until = Some(now_ms + LINGER_MS);
            self.state = State::Closing;
        }
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        if self.state == State::Closing && self.linger_until.is_some_and(|at| at <= now_ms) {
            self.state = State::Closed;
        }
        if self.lost_at().is_some_and(|at| at <= now_ms) {
            self.state = State::Failed(self.loss(now_ms));
        }
        if matches!(self.state, State::Open | State::Closing) {
            self.sender.handle_timeout(now_ms);
        }
    }

    /// When there is something to do that is not to transmit.
    pub(super) fn poll_act_timeout(&self) -> Option<u64> {
        let flowing = matches!(self.state, State::Open | State::Closing);
        let act = [
            self.sender.timeout().filter(|_| flowing && self.may_send()),
            self.linger_until.filter(|_| flowing),
            self.lost_at(),
        ];
        act.into_iter().flatten().min()
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let line_at = self.line_free_ms().saturating_sub(PACE_AHEAD_MS);
        let flowing = matches!(self.state, State::Open | State::Closing);
        let hello = self.handshake.hello_at();
        let transmit = [
            (self.state != State::Closed).then_some(hello).flatten(),
            self.receiver.ack_at().filter(|_| flowing),
            (flowing && self.may_send() && self.sender.has_next()).then_some(0),
            flowing.then(|| self.sign_of_life_at()),
            (flowing && self.bye_due).then_some(0),
        ];
        let transmit = transmit.into_iter().flatten().min().map(|at| at.max(line_at));
        self.poll_act_timeout().into_iter().chain(transmit).min()
    }

    pub(super) fn poll_transmit(&mut self, now_ms: u64, out: &mut [u8]) -> Option<usize> {
        if self.line_free_ms() > now_ms + PACE_AHEAD_MS || self.state == State::Closed {
            return None;
        }
        if self.handshake.hello_at().is_some_and(|at| at <= now_ms) {
            let (header, payload) = self.handshake.hello();
            let length = frame::encode(&header, &payload, out)?;
            self.handshake.sent(now_ms, self.state == State::Connecting);
            return Some(self.spoke(now_ms, length));
        }
        if !matches!(self.state, State::Open | State::Closing) {
            return None;
        }
        let ack_due = self.receiver.ack_at().is_some_and(|at| at <= now_ms);
        // A message carries the acknowledgement as well, but not what has arrived out of order.
        if self.may_send() && self.sender.has_next() && !(ack_due && self.receiver.arrived() != 0) {
            return self.transmit_next(now_ms, out);
        }
        if ack_due || self.sign_of_life_at() <= now_ms {
            let payload = [self.receiver.arrived()];
            let length = frame::encode(&self.header(Kind::Ack, 0), &payload, out)?;
            self.receiver.acknowledged(true);
            return Some(self.spoke(now_ms, length));
        }
        if self.bye_due {
            let length = frame::encode(&self.header(Kind::Bye, 0), &[], out)?;
            self.state = State::Closed;
            return Some(self.spoke(now_ms, length));
        }
        None
    }

    fn transmit_next(&mut self, now_ms: u64, out: &mut [u8]) -> Option<usize> {
        let mut header = self.header(Kind::Data, 0);
        let (seq, kind, payload) = self.sender.next()?;
        (header.kind, header.seq) = (kind, seq);
        let length = frame::encode(&header, payload, out)?;
        self.receiver.acknowledged(false);
        let length = self.spoke(now_ms, length);
        self.sender.transmitted(seq, self.line_free_ms());
        Some(length)
    }

    fn header(&self, kind: Kind, seq: u16) -> Header {
        Header {
            version: self.handshake.version(),
            kind,
            from: self.config.side,
            session: self.handshake.session(),
            seq,
            ack: self.receiver.next(),
        }
    }

    /// Whether the other end still wants messages.
    const fn may_send(&self) -> bool {
        self.linger_until.is_none()
    }

    fn spoke(&mut self, now_ms: u64, length: usize) -> usize {
        self.spoke_at = now_ms;
        let line_parts = self
            .config
            .bytes_per_s
            .map_or(0, |rate| u64::from((length as u32 * (1_000 << PART_BITS)).div_ceil(rate.max(1))));
        self.line_free_parts = self.line_free_parts.max(now_ms << PART_BITS) + line_parts;
        length
    }

    const fn line_free_ms(&self) -> u64 {
        (self.line_free_parts + (1 << PART_BITS) - 1) >> PART_BITS
    }

    fn sign_of_life_at(&self) -> u64 {
        self.spoke_at + self.config.silence_ms / 4
    }

    /// When silence becomes a failure, or a message that does not get through though the other end is heard. The runner
    /// waits for an agent as long as its caller does.
    fn lost_at(&self) -> Option<u64> {
        let silence_ms = self.config.silence_ms;
        let silent_at = match self.state {
            State::Connecting if self.config.side == Side::Runner => return None,
            State::Connecting | State::Open => self.heard_at + silence_ms,
            State::Closing => self.heard_at.max(self.closed_at?) + silence_ms.min(CLOSE_SILENCE_MS),
            State::Closed | State::Failed(_) => return None,
        };
        let stuck_at = self.sender.missing().map(|missing| missing.first_at + silence_ms);
        Some(stuck_at.map_or(silent_at, |at| at.min(silent_at)))
    }

    /// What is wrong when time is over. An end that lives gives more than two signs of life in half of the time.
    fn loss(&self, now_ms: u64) -> LinkError {
        let silent_ms = now_ms.saturating_sub(self.heard_at);
        match self.sender.missing() {
            Some(missing) if silent_ms < self.config.silence_ms / 2 && self.closed_at.is_none() => {
                LinkError::Stuck {
                    bytes: missing.payload.len() as u16,
                    sends: missing.sends,
                    tried_ms: now_ms.saturating_sub(missing.first_at),
                }
            }
            _ => LinkError::Lost {
                silent_ms,
                last: self.heard,
                undelivered: u8::try_from(self.sender.queued()).unwrap_or(u8::MAX),
            },
        }
    }
}
