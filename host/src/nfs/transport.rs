//! What calls come on, and what it tells of whether two calls are one that was sent twice.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{self, AtomicBool, AtomicU64};

/// The connection that calls come on; of datagrams, each has its own.
#[derive(Debug)]
pub struct Transport {
    /// The caller's address.
    pub(super) peer: IpAddr,
    /// Larger than those of earlier connections.
    number: u64,
    /// The xid of the first call.
    first: OnceLock<u32>,
    was_cut: AtomicBool,
}

impl Transport {
    /// A connection of `peer` that has not called yet.
    pub fn new(peer: IpAddr) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, atomic::Ordering::Relaxed);
        Self { peer: peer.to_canonical(), number, first: OnceLock::new(), was_cut: AtomicBool::new(false) }
    }

    /// Notes that a call with `xid` has come.
    pub(super) fn note_call(&self, xid: u32) {
        self.first.get_or_init(|| xid);
    }

    /// Notes that the connection did not end as its client wanted it to.
    pub(super) fn note_cut(&self) {
        self.was_cut.store(true, atomic::Ordering::Relaxed);
    }

    /// Whether the call with `xid`, which came here, is the same one when it comes on `other`.
    ///
    /// A client that lost its connection sends what was not answered on the next one, and goes on counting. One that
    /// begins with the same number anew, though nothing has cut its connection, is somebody else: a program that numbers its
    /// calls from a constant, and a second connection of it, make calls that look the same and are not.
    pub(super) fn repeats_on(&self, other: &Self, xid: u32) -> Repeats {
        let continues = self.was_cut.load(atomic::Ordering::Relaxed) || self.first.get() != other.first.get();
        match (self.number.cmp(&other.number), self.first.get() == Some(&xid)) {
            (Ordering::Equal, _) => Repeats::Yes,
            _ if continues => Repeats::Yes,
            // It was sent on the connection before, and has come late.
            (Ordering::Greater, true) => Repeats::Yes,
            (Ordering::Less, true) => Repeats::Perhaps,
            (_, false) => Repeats::No,
        }
    }
}

/// Whether a call that looks like one before is that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    Yes,
    /// It is the first on both connections.
    Perhaps,
    No,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{Repeats, Transport};

    /// A connection whose calls have these numbers.
    fn transport(xids: &[u32]) -> Transport {
        let transport = Transport::new(Ipv4Addr::LOCALHOST.into());
        xids.iter().for_each(|xid| transport.note_call(*xid));
        transport
    }

    #[test]
    fn who_counts_on_repeats_and_who_begins_anew_does_not() {
        let first = transport(&[7, 8, 9]);
        assert_eq!(first.repeats_on(&first, 9), Repeats::Yes);
        assert_eq!(first.repeats_on(&transport(&[9]), 9), Repeats::Yes);
        let second = transport(&[7]);
        assert_eq!(first.repeats_on(&second, 7), Repeats::Perhaps);
        assert_eq!(second.repeats_on(&first, 7), Repeats::Yes, "it was under way all the time");
        assert_eq!(first.repeats_on(&transport(&[7, 8]), 8), Repeats::No);
        first.note_cut();
        assert_eq!(first.repeats_on(&transport(&[7, 8]), 8), Repeats::Yes);
    }
}
