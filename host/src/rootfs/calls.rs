//! The calls that a layer has carried out last: one of them that comes again must not be carried out again.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::CallId;

/// Calls that are remembered; the oldest goes. A client repeats what it has in flight, which is far less.
const CAPACITY: usize = 1024;

/// How long after a restart clients repeat what had no reply: Linux tries at least every five minutes.
const REPETITION: Duration = Duration::from_secs(300);

/// The last calls, each once.
#[derive(Debug, Default)]
pub(super) struct Calls {
    known: HashSet<CallId>,
    order: VecDeque<CallId>,
    /// Those of processes before this one, and until when they are of interest.
    earlier: Option<(HashSet<CallId>, Instant)>,
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

    /// Notes that another process has carried out all of them, and has ended.
    pub(super) fn end_process(&mut self) {
        self.earlier = Some((self.known.clone(), Instant::now() + REPETITION));
    }

    /// Whether an earlier process has carried out `call`, and a client may still repeat it.
    pub(super) fn has_earlier(&self, call: CallId) -> bool {
        self.earlier.as_ref().is_some_and(|(calls, until)| calls.contains(&call) && Instant::now() < *until)
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
        assert!(!calls.has_earlier(call(1)));
        calls.end_process();
        calls.insert(call(9999));
        assert!(!calls.has_earlier(call(0)) && calls.has_earlier(call(1)) && !calls.has_earlier(call(9999)));
        assert_eq!(calls.iter().count(), CAPACITY);
        assert_eq!(calls.iter().last(), Some(call(9999)));
    }
}
