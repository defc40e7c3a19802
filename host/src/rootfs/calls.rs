//! The calls that a layer has carried out last: one of them that comes again must not be carried out again.

use std::collections::{HashSet, VecDeque};

use super::CallId;

/// Calls that are remembered; the oldest goes. A client repeats what it has in flight, which is far less.
const CAPACITY: usize = 1024;

/// The last calls, each once.
#[derive(Debug, Default)]
pub(super) struct Calls {
    known: HashSet<CallId>,
    order: VecDeque<CallId>,
}

impl Calls {
    /// Remembers `call`.
    pub(super) fn insert(&mut self, call: CallId) {
        if !self.known.insert(call) {
            return;
        }
        self.order.push_back(call);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether `call` is among them.
    pub(super) fn contains(&self, call: CallId) -> bool {
        self.known.contains(&call)
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = CallId> {
        self.order.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_goes_when_there_are_too_many() {
        let call = |xid| CallId { xid, checksum: 7 };
        let mut calls = Calls::default();
        for xid in 0..=CAPACITY as u32 {
            calls.insert(call(xid));
            calls.insert(call(xid));
        }
        assert!(!calls.contains(call(0)) && calls.contains(call(1)));
        assert_eq!(calls.iter().count(), CAPACITY);
        assert_eq!(calls.iter().last(), Some(call(CAPACITY as u32)));
    }
}
