//! The receiving half of a link: puts frames in order, drops duplicates, decides when to acknowledge.
//!
//! A frame is acknowledged when its message was taken; until then it is only reported as arrived. So the window is
//! the flow control too, and nothing that arrives in it needs to be thrown away.

use heapless::Vec;

use super::WINDOW;
use crate::frame::Kind;
use crate::limits::MAX_MESSAGE;

/// How long an acknowledgement may wait for a message to travel with, in milliseconds.
const ACK_DELAY_MS: u64 = 10;

/// Messages taken since the last acknowledgement after which the next is sent at once.
const ACK_EVERY: u8 = (WINDOW / 2) as u8;

#[derive(Debug, Default)]
struct Slot {
    kind: Option<Kind>,
    payload: Vec<u8, MAX_MESSAGE>,
}

#[derive(Debug)]
pub(super) struct Receiver {
    slots: [Slot; WINDOW],
    /// Number of the frame that is taken next: what is acknowledged.
    next: u16,
    /// Messages taken since the last acknowledgement.
    taken: u8,
    ack_at: Option<u64>,
    duplicates: u32,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self { slots: Default::default(), next: 0, taken: 0, ack_at: None, duplicates: 0 }
    }

    pub(super) const fn next(&self) -> u16 {
        self.next
    }

    pub(super) const fn duplicates(&self) -> u32 {
        self.duplicates
    }

    /// When an acknowledgement is to be sent, if one is wanted.
    pub(super) const fn ack_at(&self) -> Option<u64> {
        self.ack_at
    }

    /// Keeps a frame that arrived.
    pub(super) fn handle(&mut self, now_ms: u64, seq: u16, kind: Kind, payload: &[u8]) {
        let offset = usize::from(seq.wrapping_sub(self.next));
        let gap = (0..offset.min(WINDOW)).any(|n| self.slot(self.next.wrapping_add(n as u16)).kind.is_none());
        let slot = self.slot(seq);
        if offset >= WINDOW || slot.kind.is_some() {
            // The other end did not get our acknowledgement.
            self.duplicates += 1;
            self.ack_at = Some(now_ms);
            return;
        }
        slot.payload.clear();
        if slot.payload.extend_from_slice(payload).is_ok() {
            slot.kind = Some(kind);
            self.want_ack(if gap { now_ms } else { now_ms + ACK_DELAY_MS });
        }
    }

    /// The kind of the next frame in order, if it has arrived.
    pub(super) fn peek(&mut self) -> Option<Kind> {
        self.slot(self.next).kind
    }

    /// Takes the next frame in order and returns its payload.
    pub(super) fn take(&mut self, now_ms: u64) -> Option<&[u8]> {
        let seq = self.next;
        self.slot(seq).kind.take()?;
        self.next = seq.wrapping_add(1);
        self.taken = self.taken.saturating_add(1);
        self.want_ack(if self.taken >= ACK_EVERY { now_ms } else { now_ms + ACK_DELAY_MS });
        Some(&self.slot(seq).payload)
    }

    /// Which frames from [`next`](Self::next) on have arrived: bit n for the n-th.
    pub(super) fn arrived(&mut self) -> u8 {
        (0..WINDOW as u16).fold(0, |bits, n| {
            let arrived = self.slot(self.next.wrapping_add(n)).kind.is_some();
            bits | (u8::from(arrived) << n)
        })
    }

    /// An acknowledgement was sent, by itself (`alone`) or with a message. Only the former tells what has arrived.
    pub(super) fn acknowledged(&mut self, alone: bool) {
        self.taken = 0;
        if alone || self.arrived() == 0 {
            self.ack_at = None;
        }
    }

    /// Asks for an acknowledgement at `at_ms` at the latest.
    pub(super) fn want_ack(&mut self, at_ms: u64) {
        self.ack_at = Some(self.ack_at.map_or(at_ms, |at| at.min(at_ms)));
    }

    fn slot(&mut self, seq: u16) -> &mut Slot {
        &mut self.slots[usize::from(seq) % WINDOW]
    }
}
