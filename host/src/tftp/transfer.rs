//! The machine of one transfer: datagrams and time in, datagrams and a deadline out.
//!
//! ```text
//!          options                     ACK 0               ACK of the last block
//! request ─────────▶ AwaitingOptionAck ──────▶ Sending ─────────────────────────▶ Over
//!    └─────────────────── no options ────────────▲ │ ACK: next window            ▲
//!                                                └─┘ timer: the window again     │
//!                                       client's ERROR, silence, abort ──────────┘
//! ```
//!
//! Three rules keep a lost packet from costing more than it must. The client's `timeout` option is never
//! acknowledged: U-Boot asks for 5 s, and each loss would cost that. The timer follows the round trips that are
//! measured (RFC 1123 §4.2.3.2). And a repeated ACK, or one inside the window, means that the block behind it was lost
//! (RFC 7440 §4), but the first is believed only if it cannot have crossed the window on its way, and both only if the
//! last two windows were sent once: otherwise the echo of one duplicate doubles every window to the end of the file
//! (RFC 1123 §4.2.3.1, the sorcerer's apprentice).

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::clock::Clock;
use super::packet::{DEFAULT_BLOCK_SIZE, ErrorCode, Options, Packet, Request};

mod clock;

/// The echo of what was sent twice may come while this many windows are under way.
const ECHO: u32 = 2;

/// Limits and times of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Largest block size, in bytes. Above 1468 the datagrams of an Ethernet are fragmented.
    pub max_block_size: u16,
    /// Largest window, in blocks.
    pub max_window: u16,
    /// How long an acknowledgement is awaited before the window is sent again, as long as no round trip is known;
    /// and the most that a slow client's round trips can make of it.
    pub first_timeout: Duration,
    /// The least that a fast client's round trips can make of it: shorter than any pause of a client, repetitions
    /// would be waste.
    pub min_timeout: Duration,
    /// The wait doubles with each repetition, up to this.
    pub max_timeout: Duration,
    /// How long a client may make no progress. U-Boot that lost an ACK is silent for 5 s.
    pub give_up: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_block_size: 1468,
            max_window: 32,
            first_timeout: Duration::from_millis(300),
            min_timeout: Duration::from_millis(20),
            max_timeout: Duration::from_secs(2),
            give_up: Duration::from_secs(20),
        }
    }
}

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// A whole datagram.
    Datagram(Vec<u8>),
    /// A `DATA` packet with a part of the file.
    Block {
        /// Block number on the wire.
        number: u16,
        /// The part of the file, in bytes.
        range: Range<u64>,
    },
}

/// A transfer that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Blocks that were sent more than once.
    pub retransmits: u64,
}

/// Why a transfer ended early.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The client went silent.
    #[error("no acknowledgement of {awaited} for {waited:?} (sent {sends} times)")]
    Unacknowledged {
        /// What was awaited, such as `block 17 of 20` or `the options`. If it was the last block, the client may
        /// have it, and only its acknowledgement is lost.
        awaited: String,
        /// How long.
        waited: Duration,
        /// How often it was sent.
        sends: u32,
    },
    /// The client ended the transfer.
    #[error("the client sent error {code}: {message}")]
    Client {
        /// Its code.
        code: ErrorCode,
        /// Its words.
        message: String,
    },
    /// A new request came from the same port: the board was reset.
    #[error("replaced by a new request from the same port")]
    Replaced,
    /// The file could not be read any more.
    #[error("the file cannot be read")]
    Read(#[source] Arc<io::Error>),
    /// The socket failed; "connection refused" means that the client closed its port.
    #[error("the socket failed")]
    Socket(#[source] Arc<io::Error>),
    /// The server ends.
    #[error("the server is stopping")]
    Stopped,
}

/// One transfer to one client.
#[derive(Debug)]
pub struct Transfer {
    policy: Policy,
    size: u64,
    block_size: u64,
    window: u64,
    accepted: Options,
    state: State,
    /// Blocks that the client has, without a gap.
    acked: u64,
    /// Highest block that was ever sent.
    highest: u64,
    retransmits: u64,
    clock: Clock,
    /// Windows that were acknowledged whole since anything was sent again.
    clean_windows: u32,
}

#[derive(Debug)]
enum State {
    AwaitingOptionAck { due: bool },
    Sending { next: u64 },
    Over { outcome: Result<Done, Failure>, farewell: Option<Vec<u8>> },
}

impl Transfer {
    /// Starts to answer `request` with a file of `size` bytes.
    pub fn new(request: &Request, size: u64, policy: Policy, now: Instant) -> Self {
        let accepted = Options {
            block_size: request.options.block_size.map(|asked| asked.min(policy.max_block_size)),
            transfer_size: request.options.transfer_size.map(|_| size),
            timeout: None,
            window_size: request.options.window_size.map(|asked| asked.min(policy.max_window)),
        };
        let state = if accepted.is_empty() {
            State::Sending { next: 1 }
        } else {
            State::AwaitingOptionAck { due: true }
        };
        Self {
            policy,
            size,
            block_size: u64::from(accepted.block_size.unwrap_or(DEFAULT_BLOCK_SIZE)),
            window: u64::from(accepted.window_size.unwrap_or(1)),
            accepted,
            state,
            acked: 0,
            highest: 0,
            retransmits: 0,
            clock: Clock::new(&policy, now),
            clean_windows: ECHO,
        }
    }

    /// Takes in one datagram of the client; what is no ACK or ERROR is ignored.
    pub fn handle_input(&mut self, now: Instant, datagram: &[u8]) {
        match Packet::parse(datagram) {
            Ok(Packet::Ack { block }) => self.handle_ack(now, block),
            Ok(Packet::Error { code, message }) => self.end(Err(Failure::Client { code, message }), None),
            _ => {}
        }
    }

    /// Sends again if an acknowledgement is overdue, or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        let waited = now.duration_since(self.clock.progress_at);
        if waited >= self.policy.give_up {
            let awaited = match self.state {
                State::AwaitingOptionAck { .. } => "the options".to_owned(),
                _ => format!("block {} of {}", self.acked + 1, self.last()),
            };
            let failure = Failure::Unacknowledged { awaited, waited, sends: self.clock.sends };
            return self.end(Err(failure), None);
        }
        self.send_again(now, self.clock.is_overdue(now));
    }

    /// Ends the transfer from this side.
    pub fn abort(&mut self, failure: Failure) {
        // A reset board that reuses its port takes the first packet for the answer to its new request: an ERROR
        // would end that one.
        let farewell = (!matches!(failure, Failure::Replaced))
            .then(|| Packet::Error { code: ErrorCode::NotDefined, message: failure.to_string() }.to_vec());
        self.end(Err(failure), farewell);
    }

    /// Returns the next thing to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let last = self.last();
        match &mut self.state {
            State::AwaitingOptionAck { due } => {
                std::mem::take(due).then(|| Transmit::Datagram(Packet::OptionAck(self.accepted).to_vec()))
            }
            State::Sending { next } => {
                let block = *next;
                if block > last.min(self.acked + self.window) {
                    return None;
                }
                *next += 1;
                if block > self.highest {
                    self.highest = block;
                } else {
                    self.retransmits += 1;
                }
                let start = (block - 1) * self.block_size;
                #[expect(clippy::cast_possible_truncation, reason = "block numbers wrap at 65536")]
                Some(Transmit::Block {
                    number: block as u16,
                    range: start..(start + self.block_size).min(self.size),
                })
            }
            State::Over { farewell, .. } => farewell.take().map(Transmit::Datagram),
        }
    }

    /// Returns when [`Self::handle_timeout`] is due; `None` when the transfer is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Over { .. } => None,
            _ => Some(self.clock.deadline().min(self.clock.progress_at + self.policy.give_up)),
        }
    }

    /// Returns how the transfer ended, if it has.
    pub fn outcome(&self) -> Option<&Result<Done, Failure>> {
        match &self.state {
            State::Over { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Returns whether the client has answered, so that another request from its port is a new one.
    pub fn has_begun(&self) -> bool {
        match self.state {
            State::AwaitingOptionAck { .. } => false,
            State::Sending { .. } => self.acked > 0 || !self.accepted.is_empty(),
            State::Over { .. } => true,
        }
    }

    /// Returns whether every block was sent at least once.
    pub fn has_sent_all(&self) -> bool {
        self.highest == self.last()
    }

    /// Returns how many bytes the client has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        (self.acked * self.block_size).min(self.size)
    }

    /// Returns the block size in bytes.
    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// Returns the window in blocks.
    pub fn window(&self) -> u64 {
        self.window
    }

    fn handle_ack(&mut self, now: Instant, block: u16) {
        match self.state {
            State::AwaitingOptionAck { .. } if block == 0 => {
                self.state = State::Sending { next: 1 };
                self.start_window(now);
            }
            State::Sending { .. } => {
                #[expect(clippy::cast_possible_truncation, reason = "block numbers wrap at 65536")]
                let advance = u64::from(block.wrapping_sub(self.acked as u16));
                if advance == 0 && self.clean_windows >= ECHO {
                    if self.clock.believes_repeated_ack(now) {
                        self.send_again(now, false);
                    }
                } else if advance > 0 && advance <= self.highest - self.acked {
                    self.acked += advance;
                    self.start_window(now);
                }
            }
            _ => {}
        }
    }

    /// Goes on behind the last acknowledged block, or ends.
    fn start_window(&mut self, now: Instant) {
        if self.acked == self.last() {
            return self.end(Ok(Done { bytes: self.size, retransmits: self.retransmits }), None);
        }
        let whole = self.acked == self.highest;
        self.clock.progress(&self.policy, now, whole && self.clock.sends == 1);
        let State::Sending { next } = &mut self.state else { return };
        *next = (*next).max(self.acked + 1);
        if whole {
            self.clean_windows = (self.clean_windows + 1).min(ECHO);
        } else if self.clean_windows >= ECHO {
            *next = self.acked + 1;
            self.clean_windows = 0;
        } else {
            // Perhaps an echo: then there is progress before this is believed.
            self.clock.believes_repeated_ack(now);
        }
    }

    fn send_again(&mut self, now: Instant, overdue: bool) {
        match &mut self.state {
            State::AwaitingOptionAck { due } => *due = true,
            State::Sending { next } => *next = self.acked + 1,
            State::Over { .. } => return,
        }
        self.clean_windows = 0;
        self.clock.repeat(&self.policy, now, overdue);
    }

    fn end(&mut self, outcome: Result<Done, Failure>, farewell: Option<Vec<u8>>) {
        if self.outcome().is_none() {
            self.state = State::Over { outcome, farewell };
        }
    }

    /// The last block is the first one that is not full; it may be empty.
    fn last(&self) -> u64 {
        self.size / self.block_size + 1
    }
}

#[cfg(test)]
mod tests;
