//! The sending half of a link: keeps messages until they are acknowledged and decides which frame goes next.
//!
//! A byte stream does not reorder. So a frame is lost as soon as one that was transmitted after it has arrived, and is
//! resent at once; the timer is for what nothing came after.

use heapless::Vec;

use super::WINDOW;
use super::rtt::RoundTrip;
use crate::frame::Kind;
use crate::limits::{MAX_CHUNK, MAX_MESSAGE};

/// Piece of a stream that one message carries at first, in bytes.
const FIRST_CHUNK: usize = 256;

/// Shortest piece, in bytes: about as long as what surrounds it.
const MIN_CHUNK: usize = 32;

/// What a piece that arrived lets the next ones grow by, in bytes. With halving at a loss, pieces settle where the resending
/// of long frames and the overhead of short ones cost about the same.
const CHUNK_STEP: usize = 32;

#[derive(Debug)]
pub(super) struct Slot {
    kind: Kind,
    pub(super) payload: Vec<u8, MAX_MESSAGE>,
    /// When the first transmission left, in milliseconds.
    pub(super) first_at: u64,
    /// When the last one did.
    sent_at: u64,
    /// Place of the last transmission among all.
    order: u32,
    /// Transmissions so far.
    pub(super) sends: u16,
    arrived: bool,
    lost: bool,
}

impl Slot {
    const fn new() -> Self {
        Self {
            kind: Kind::Data,
            payload: Vec::new(),
            first_at: 0,
            sent_at: 0,
            order: 0,
            sends: 0,
            arrived: false,
            lost: false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Sender {
    slots: [Slot; WINDOW],
    /// First frame that is not acknowledged.
    oldest: u16,
    /// First frame that was never transmitted.
    unsent: u16,
    /// Number of the next frame to be queued.
    end: u16,
    order: u32,
    round_trip: RoundTrip,
    resent: u32,
    chunk: usize,
}

impl Sender {
    pub(super) fn new(round_trip: RoundTrip) -> Self {
        Self {
            slots: [const { Slot::new() }; WINDOW],
            oldest: 0,
            unsent: 0,
            end: 0,
            order: 0,
            round_trip,
            resent: 0,
            chunk: FIRST_CHUNK,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.queued() < WINDOW
    }

    /// Frames that are not acknowledged, transmitted or not.
    pub(super) fn queued(&self) -> usize {
        usize::from(self.end.wrapping_sub(self.oldest))
    }

    pub(super) const fn resent(&self) -> u32 {
        self.resent
    }

    /// How long a piece of a stream should be to get through.
    pub(super) const fn chunk(&self) -> usize {
        self.chunk
    }

    /// The first frame that was transmitted and did not arrive.
    pub(super) fn missing(&self) -> Option<&Slot> {
        self.in_flight().map(|seq| &self.slots[index(seq)]).find(|slot| !slot.arrived)
    }

    /// Queues a frame whose payload `fill` writes; there must be room.
    pub(super) fn queue<E>(
        &mut self,
        kind: Kind,
        fill: impl FnOnce(&mut Vec<u8, MAX_MESSAGE>) -> Result<(), E>,
    ) -> Result<(), E> {
        let seq = self.end;
        let slot = self.slot(seq);
        slot.payload.clear();
        fill(&mut slot.payload)?;
        (slot.kind, slot.sends, slot.arrived, slot.lost) = (kind, 0, false, false);
        self.end = seq.wrapping_add(1);
        Ok(())
    }

    /// The frame to transmit now: number, kind and payload.
    pub(super) fn next(&mut self) -> Option<(u16, Kind, &[u8])> {
        let lost = self.in_flight().find(|&seq| self.slots[index(seq)].lost);
        let seq = lost.or((self.unsent != self.end).then_some(self.unsent))?;
        let slot = self.slot(seq);
        Some((seq, slot.kind, &slot.payload))
    }

    /// Whether [`next`](Self::next) has something.
    pub(super) fn has_next(&self) -> bool {
        self.unsent != self.end || self.in_flight().any(|seq| self.slots[index(seq)].lost)
    }

    /// `seq` was transmitted and leaves at `at_ms`.
    pub(super) fn transmitted(&mut self, seq: u16, at_ms: u64) {
        self.order = self.order.wrapping_add(1);
        let order = self.order;
        let slot = self.slot(seq);
        (slot.sent_at, slot.order, slot.lost) = (at_ms, order, false);
        slot.sends = slot.sends.saturating_add(1);
        if slot.sends == 1 {
            slot.first_at = at_ms;
        } else {
            self.resent += 1;
        }
        if seq == self.unsent {
            self.unsent = seq.wrapping_add(1);
        }
    }

    /// The other end wants `ack` next and has `arrived` (bit n for the n-th from there). Stale news is ignored.
    pub(super) fn acknowledge(&mut self, now_ms: u64, ack: u16, arrived: u8) {
        if ack.wrapping_sub(self.oldest) > self.unsent.wrapping_sub(self.oldest) {
            return;
        }
        let mut newest: Option<u32> = None;
        for seq in self.in_flight() {
            let ahead = ack.wrapping_sub(seq);
            let taken = ahead != 0 && ahead <= WINDOW as u16;
            let bit = seq.wrapping_sub(ack);
            if !taken && (bit >= WINDOW as u16 || (arrived >> bit) & 1 == 0) {
                continue;
            }
            let slot = &mut self.slots[index(seq)];
            if !slot.arrived {
                (slot.arrived, slot.lost) = (true, false);
                if slot.sends == 1 {
                    self.round_trip.sample(now_ms.saturating_sub(slot.sent_at));
                    if 2 * slot.payload.len() >= self.chunk {
                        self.chunk = (self.chunk + CHUNK_STEP).min(MAX_CHUNK);
                    }
                }
            }
            newest = Some(newest.map_or(slot.order, |order| later(order, slot.order)));
        }
        if ack != self.oldest {
            self.oldest = ack;
            self.round_trip.progress();
        }
        let Some(newest) = newest else { return };
        for seq in self.in_flight() {
            let slot = &self.slots[index(seq)];
            if !slot.arrived && !slot.lost && slot.order != newest && later(slot.order, newest) == newest {
                self.lose(seq);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn timeout(&self) -> Option<u64> {
        let slot = &self.slots[index(self.waited_for()?)];
        (!slot.lost).then(|| slot.sent_at + self.round_trip.timeout_ms())
    }

    /// Marks for resending what was waited for too long.
    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        let Some(seq) = self.waited_for() else { return };
        if self.timeout().is_some_and(|at| at <= now_ms) {
            self.lose(seq);
            self.round_trip.back_off();
        }
    }

    /// Has `seq` sent again.
    fn lose(&mut self, seq: u16) {
        let slot = self.slot(seq);
        slot.lost = true;
        // What arrived and was not taken is only asked about.
        if !slot.arrived {
            self.chunk = (self.chunk / 2).max(MIN_CHUNK);
        }
    }

    /// The frame whose acknowledgement is missed most: the first that did not arrive, or the first that was not taken
    /// (the news that it was may be lost).
    fn waited_for(&self) -> Option<u16> {
        self.in_flight().find(|&seq| !self.slots[index(seq)].arrived).or_else(|| self.in_flight().next())
    }

    /// Numbers of the frames that were transmitted and not acknowledged.
    fn in_flight(&self) -> impl Iterator<Item = u16> + use<> {
        let oldest = self.oldest;
        (0..self.unsent.wrapping_sub(oldest)).map(move |n| oldest.wrapping_add(n))
    }

    fn slot(&mut self, seq: u16) -> &mut Slot {
        &mut self.slots[index(seq)]
    }
}

const fn index(seq: u16) -> usize {
    seq as usize % WINDOW
}

/// The later of two places in a wrapping order.
const fn later(a: u32, b: u32) -> u32 {
    if b.wrapping_sub(a) < u32::MAX / 2 { b } else { a }
}
