//! What calls of helpers report, in its place in the script's output: on a slow line they overtake what was printed before
//! them, and their events are held back until that has arrived. The helpers are not, so that no step's time goes into it.

use std::collections::VecDeque;

use crate::event::EventKind;

/// The events of one script that are held back. Pure.
#[derive(Debug, Default)]
pub(super) struct OutputOrder {
    /// Bytes of output that have arrived.
    arrived: u64,
    /// Events, each with how much output comes before it.
    held: VecDeque<(u64, EventKind)>,
    /// What is still to come before the call that the next message is.
    owed: u32,
}

impl OutputOrder {
    /// The call that the next message is comes behind `bytes` that are still to arrive.
    pub(super) const fn owe(&mut self, bytes: u32) {
        self.owed = bytes;
    }

    /// Takes what the call that this message is comes behind; nothing if it is none.
    pub(super) const fn take_owed(&mut self) -> u32 {
        std::mem::replace(&mut self.owed, 0)
    }

    /// Gives back an event whose place is here already; holds it back if `owed` bytes come before it.
    pub(super) fn place(&mut self, owed: u32, event: EventKind) -> Option<EventKind> {
        let place = self.arrived + u64::from(owed);
        // What was called later is told later.
        let place = self.held.back().map_or(place, |(last, _)| place.max(*last));
        if place <= self.arrived {
            return Some(event);
        }
        self.held.push_back((place, event));
        None
    }

    /// Takes what has arrived up to the place of the next event; what is behind that is the second part.
    pub(super) fn arrive<'d>(&mut self, data: &'d [u8]) -> (&'d [u8], &'d [u8]) {
        let next = self.held.front().map_or(u64::MAX, |(place, _)| place - self.arrived);
        let taken = usize::try_from(next).map_or(data.len(), |next| next.min(data.len()));
        self.arrived += taken as u64;
        data.split_at(taken)
    }

    /// The next event whose place is here.
    pub(super) fn due(&mut self) -> Option<EventKind> {
        self.held.front().filter(|(place, _)| *place <= self.arrived)?;
        self.held.pop_front().map(|(_, event)| event)
    }

    /// The next event that is held back: nothing more arrives.
    pub(super) fn end(&mut self) -> Option<EventKind> {
        self.held.pop_front().map(|(_, event)| event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> EventKind {
        EventKind::Note { text: text.to_owned() }
    }

    /// What comes of `data`: its parts, and the texts of the events between them.
    fn told(order: &mut OutputOrder, data: &str) -> Vec<String> {
        let (mut told, mut rest) = (Vec::new(), data.as_bytes());
        while !rest.is_empty() {
            let (part, behind) = order.arrive(rest);
            assert!(!part.is_empty(), "it goes on");
            told.push(String::from_utf8_lossy(part).into_owned());
            rest = behind;
            while let Some(EventKind::Note { text }) = order.due() {
                told.push(text);
            }
        }
        told
    }

    #[test]
    fn events_come_behind_what_was_printed_before_them() {
        let mut order = OutputOrder::default();
        assert_eq!(told(&mut order, "one "), ["one "]);
        assert_eq!(order.place(0, event("A")), Some(event("A")), "nothing is owed");
        assert_eq!(order.place(4, event("B")), None);
        assert_eq!(order.place(7, event("C")), None);
        assert_eq!(told(&mut order, "tw"), ["tw"]);
        assert_eq!(told(&mut order, "o 3. 4"), ["o ", "B", "3. ", "C", "4"]);
        assert_eq!(order.place(0, event("D")), Some(event("D")));
    }

    #[test]
    fn a_later_call_does_not_overtake_an_earlier_one() {
        let mut order = OutputOrder::default();
        assert_eq!(order.place(4, event("A")), None);
        assert_eq!(order.place(0, event("B")), None, "its output cannot be less than that of the one before");
        assert_eq!(told(&mut order, "1234"), ["1234", "A", "B"]);
    }

    #[test]
    fn what_is_owed_is_the_next_messages_alone_and_nothing_is_lost_at_the_end() {
        let mut order = OutputOrder::default();
        order.owe(100);
        assert_eq!((order.take_owed(), order.take_owed()), (100, 0));
        assert_eq!(order.place(100, event("A")), None);
        assert_eq!(told(&mut order, "cut off"), ["cut off"]);
        assert_eq!(order.due(), None);
        assert_eq!((order.end(), order.end()), (Some(event("A")), None));
    }
}
