//! Replies to calls that must not be carried out twice.
//!
//! A client that lost its connection sends the same call again, with the same xid; a REMOVE that was carried out would
//! now fail. The repeated call gets the reply of the first, and if that is still being worked out, waits for it. Which
//! connections a call may come again on, their [`Transport`] tells.
//!
//! These replies end with the process. Of a call that an earlier process carried out, the layer knows that it did.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::transport::{Repeats, Transport};
use crate::rootfs::CallId;

/// Replies kept for an address; the oldest goes. Each has some hundred bytes, and no client has as many calls under way.
const CAPACITY: usize = 1024;

type Slot = Arc<Mutex<Option<Box<[u8]>>>>;

/// The cache.
#[derive(Debug, Default)]
pub(super) struct ReplyCache {
    peers: Mutex<HashMap<IpAddr, Replies>>,
}

/// The replies to one address.
#[derive(Debug, Default)]
struct Replies {
    slots: HashMap<CallId, (Arc<Transport>, Slot)>,
    order: VecDeque<CallId>,
}

impl ReplyCache {
    /// The reply to `call` on `transport`: the one given before, or that of `carry_out`. Where it may be another call that
    /// looks the same, `has_effect` is asked whether what it does was done.
    pub(super) fn reply(
        &self,
        transport: &Arc<Transport>,
        call: CallId,
        has_effect: impl FnOnce() -> bool,
        carry_out: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let (slot, repeats) = {
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            peers.entry(transport.peer).or_default().slot(transport, call)
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = &*slot
            && (repeats == Repeats::Yes || has_effect())
        {
            return Some(reply.to_vec());
        }
        let reply = carry_out()?;
        *slot = Some(reply.as_slice().into());
        Some(reply)
    }
}

impl Replies {
    /// Where the reply to `call` is, or will be, and whether that may be one to a call before.
    fn slot(&mut self, transport: &Arc<Transport>, call: CallId) -> (Slot, Repeats) {
        if let Some((first, slot)) = self.slots.get(&call) {
            let repeats = first.repeats_on(transport, call.xid);
            if repeats != Repeats::No {
                return (Arc::clone(slot), repeats);
            }
        } else {
            if self.order.len() >= CAPACITY
                && let Some(oldest) = self.order.pop_front()
            {
                self.slots.remove(&oldest);
            }
            self.order.push_back(call);
        }
        let slot = Slot::default();
        self.slots.insert(call, (Arc::clone(transport), Arc::clone(&slot)));
        (slot, Repeats::No)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CALL: CallId = CallId { xid: 5, checksum: 7 };

    /// A connection on which calls have come.
    fn connection(address: Ipv4Addr, xids: &[u32]) -> Arc<Transport> {
        let transport = Transport::new(address.into());
        xids.iter().for_each(|xid| transport.note_call(*xid));
        Arc::new(transport)
    }

    /// The reply to `call`, which is this one if it is carried out.
    fn reply(cache: &ReplyCache, transport: &Arc<Transport>, call: CallId, reply: u8) -> u8 {
        cache.reply(transport, call, || true, || Some(vec![reply])).unwrap()[0]
    }

    #[test]
    fn only_the_same_call_of_the_same_peer_is_answered_again() {
        let cache = ReplyCache::default();
        let board = connection(Ipv4Addr::LOCALHOST, &[1]);
        assert_eq!(reply(&cache, &board, CALL, 1), 1);
        assert_eq!(reply(&cache, &board, CALL, 9), 1);
        assert_eq!(reply(&cache, &board, CallId { xid: 6, ..CALL }, 2), 2);
        assert_eq!(reply(&cache, &board, CallId { checksum: 8, ..CALL }, 3), 3);
        assert_eq!(reply(&cache, &connection(Ipv4Addr::BROADCAST, &[5]), CALL, 4), 4);
        assert_eq!(reply(&cache, &connection(Ipv4Addr::LOCALHOST, &[5]), CALL, 9), 1);
    }

    #[test]
    fn who_numbers_calls_anew_on_another_connection_makes_others() {
        let cache = ReplyCache::default();
        let [first, second, third] = [0; 3].map(|_| connection(Ipv4Addr::LOCALHOST, &[1, 5]));
        assert_eq!(reply(&cache, &first, CALL, 1), 1);
        assert_eq!(reply(&cache, &second, CALL, 2), 2);
        assert_eq!(reply(&cache, &second, CALL, 9), 2);
        second.note_cut();
        assert_eq!(reply(&cache, &third, CALL, 9), 2);
    }

    #[test]
    fn the_first_call_of_two_connections_is_the_same_as_long_as_what_it_did_is_there() {
        let cache = ReplyCache::default();
        let [first, second] = [0; 2].map(|_| connection(Ipv4Addr::LOCALHOST, &[5]));
        assert_eq!(reply(&cache, &first, CALL, 1), 1);
        assert_eq!(reply(&cache, &second, CALL, 9), 1);
        assert_eq!(cache.reply(&second, CALL, || false, || Some(vec![2])), Some(vec![2]));
        assert_eq!(reply(&cache, &second, CALL, 9), 2);
    }

    #[test]
    fn the_oldest_reply_of_the_peer_goes_when_there_are_too_many() {
        let cache = ReplyCache::default();
        let [board, other] = [Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST].map(|peer| connection(peer, &[0]));
        let call = |xid| CallId { xid, ..CALL };
        assert_eq!(reply(&cache, &other, call(0), 7), 7);
        for xid in 0..=CAPACITY as u32 {
            reply(&cache, &board, call(xid), 8);
        }
        assert_eq!(cache.peers.lock().unwrap()[&board.peer].slots.len(), CAPACITY);
        assert_eq!(reply(&cache, &board, call(0), 9), 9);
        assert_eq!(reply(&cache, &other, call(0), 9), 7);
    }
}
