//! How two ends agree on a version and learn each other's ids.
//!
//! Payload of a Hello, in every version: `min u8 · current u8 · open u8 · the other end's id u32`, the id 0 while it is
//! unknown. An end that is not open, `open` 0, is answered with a Hello; so an end that is open can say 0 as well, to be
//! answered. Later versions may only append.

use super::LinkError;
use crate::frame::{Header, Kind, Side};
use crate::version;

/// Length of a Hello's payload, in bytes.
pub(super) const HELLO: usize = 7;

/// Time between two Hellos at first, in milliseconds; it doubles up to [`LONGEST_MS`].
const SHORTEST_MS: u64 = 200;

const LONGEST_MS: u64 = 1_600;

/// How long the runner lets the agent speak first, in milliseconds: what it writes before the agent has the terminal is
/// seen by the shell.
const RUNNER_DELAY_MS: u64 = 2_000;

#[derive(Debug)]
pub(super) struct Handshake {
    side: Side,
    id: u32,
    peer: u32,
    version: u8,
    open: bool,
    /// The next Hello is to be answered though this end is open.
    asking: bool,
    hello_at: Option<u64>,
    interval_ms: u64,
}

impl Handshake {
    pub(super) const fn new(side: Side, id: u32, now_ms: u64) -> Self {
        let first_ms = match side {
            Side::Agent => now_ms,
            Side::Runner => now_ms + RUNNER_DELAY_MS,
        };
        Self {
            side,
            id,
            peer: 0,
            version: version::CURRENT,
            open: false,
            asking: false,
            hello_at: Some(first_ms),
            interval_ms: SHORTEST_MS,
        }
    }

    /// The version that frames other than Hello have.
    pub(super) const fn version(&self) -> u8 {
        self.version
    }

    /// The session number of frames other than Hello: the agent's id.
    pub(super) const fn session(&self) -> u32 {
        match self.side {
            Side::Agent => self.id,
            Side::Runner => self.peer,
        }
    }

    /// When a Hello is to be sent.
    pub(super) const fn hello_at(&self) -> Option<u64> {
        self.hello_at
    }

    /// The Hello to send now.
    pub(super) fn hello(&self) -> (Header, [u8; HELLO]) {
        let header = Header {
            version: version::CURRENT,
            kind: Kind::Hello,
            from: self.side,
            session: self.id,
            seq: 0,
            ack: 0,
        };
        let [p0, p1, p2, p3] = self.peer.to_be_bytes();
        (header, [version::MIN, version::CURRENT, u8::from(self.open && !self.asking), p0, p1, p2, p3])
    }

    /// Sends another Hello, to be answered.
    pub(super) const fn ask(&mut self, now_ms: u64) {
        self.asking = true;
        self.hello_at = Some(now_ms);
    }

    /// A Hello was sent; `again` says whether to repeat it until it is answered.
    pub(super) fn sent(&mut self, now_ms: u64, again: bool) {
        self.asking = false;
        self.hello_at = (again && !self.open).then_some(now_ms + self.interval_ms);
        self.interval_ms = (2 * self.interval_ms).min(LONGEST_MS);
    }

    /// The other end's Hello arrived. True if the link is open.
    pub(super) fn handle(&mut self, now_ms: u64, id: u32, payload: &[u8]) -> Result<bool, LinkError> {
        let Some(&[min, current, open, p0, p1, p2, p3]) = payload.first_chunk::<HELLO>() else {
            return Ok(self.open);
        };
        let agreed = current.min(version::CURRENT);
        if agreed < min.max(version::MIN) {
            // The answer lets the other end fail with the same words.
            self.hello_at = Some(now_ms);
            return Err(LinkError::Version { min, current });
        }
        if self.open && id != self.peer {
            return Err(LinkError::Restarted { id });
        }
        if !self.open {
            self.peer = id;
            self.version = agreed;
            self.open = u32::from_be_bytes([p0, p1, p2, p3]) == self.id;
        }
        if open == 0 || !self.open {
            self.hello_at = Some(now_ms);
        } else {
            self.hello_at = None;
        }
        Ok(self.open)
    }
}
