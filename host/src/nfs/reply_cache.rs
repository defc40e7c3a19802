//! Replies to calls that must not be carried out twice.
//!
//! A client that lost its connection sends the same call again, with the same xid; a REMOVE that was carried out would
//! now fail. The repeated call gets the reply of the first, and if that is still being worked out, waits for it.
//!
//! These replies end with the process. Of a call that an earlier process carried out, the layer knows that it did.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

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
    slots: HashMap<CallId, Slot>,
    order: VecDeque<CallId>,
}

impl ReplyCache {
    /// The reply to `call` of `peer`: the one given before, or that of `carry_out`.
    pub(super) fn reply(
        &self,
        peer: IpAddr,
        call: CallId,
        carry_out: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let slot = {
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            peers.entry(peer).or_default().slot(call)
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = &*slot {
            return Some(reply.to_vec());
        }
        let reply = carry_out()?;
        *slot = Some(reply.as_slice().into());
        Some(reply)
    }
}

impl Replies {
    fn slot(&mut self, call: CallId) -> Slot {
        if let Some(slot) = self.slots.get(&call) {
            return Arc::clone(slot);
        }
        if self.order.len() >= CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.slots.remove(&oldest);
        }
        let slot = Slot::default();
        self.slots.insert(call, Arc::clone(&slot));
        self.order.push_back(call);
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn only_the_same_call_of_the_same_peer_is_answered_again() {
        let cache = ReplyCache::default();
        let first = cache.reply(PEER, CallId::new(1, b"call"), || Some(vec![1]));
        assert_eq!(first, Some(vec![1]));
        assert_eq!(cache.reply(PEER, CallId::new(1, b"call"), || panic!("carried out twice")), first);
        assert_eq!(cache.reply(PEER, CallId::new(2, b"call"), || Some(vec![2])), Some(vec![2]));
        assert_eq!(cache.reply(PEER, CallId::new(1, b"other"), || Some(vec![3])), Some(vec![3]));
        let other = IpAddr::V4(Ipv4Addr::BROADCAST);
        assert_eq!(cache.reply(other, CallId::new(1, b"call"), || Some(vec![4])), Some(vec![4]));
    }

    #[test]
    fn the_oldest_reply_of_the_peer_goes_when_there_are_too_many() {
        let cache = ReplyCache::default();
        let other = IpAddr::V4(Ipv4Addr::BROADCAST);
        assert_eq!(cache.reply(other, CallId::new(0, b""), || Some(vec![7])), Some(vec![7]));
        for xid in 0..=CAPACITY as u32 {
            cache.reply(PEER, CallId::new(xid, b""), || Some(vec![]));
        }
        assert_eq!(cache.peers.lock().unwrap()[&PEER].slots.len(), CAPACITY);
        assert_eq!(cache.reply(PEER, CallId::new(0, b""), || Some(vec![9])), Some(vec![9]));
        assert_eq!(cache.reply(other, CallId::new(0, b""), || panic!("carried out twice")), Some(vec![7]));
    }
}
