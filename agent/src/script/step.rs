//! Steps of a script: what it prints belongs to the step that it is in.
//!
//! A script says that it begins a step by `lava-step`, and waits for the answer. What it has printed before lies in the
//! pipe by then; the agent takes exactly that first.

use rustix::fd::AsFd;

/// A step that a script wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextStep {
    /// The call that waits for the answer.
    pub(crate) call: u32,
    /// Number of the step.
    pub(crate) step: u16,
    /// Seconds until the step is ended; 0 if it has no limit of its own.
    timeout_s: u32,
    /// Bytes in the output's pipe that are still those of the step before.
    owed: u64,
}

impl NextStep {
    /// A step whose predecessor's output is what lies in `output` now.
    pub(super) fn new(call: u32, step: u16, timeout_s: u32, output: impl AsFd) -> Self {
        // A pipe that cannot say how much is in it is taken for empty: the output would be the next step's.
        let owed = rustix::io::ioctl_fionread(output).unwrap_or(0);
        Self { call, step, timeout_s, owed }
    }

    /// How much of a buffer of `length` bytes may be filled before the step begins.
    pub(super) fn room(&self, length: usize) -> usize {
        usize::try_from(self.owed).map_or(length, |owed| owed.min(length))
    }

    /// `count` bytes were taken; none if there are no more.
    pub(super) fn taken(&mut self, count: usize) {
        self.owed = if count == 0 { 0 } else { self.owed.saturating_sub(count as u64) };
    }

    /// Whether all output of the step before was taken.
    pub(super) const fn is_due(&self) -> bool {
        self.owed == 0
    }

    /// When the step is to be ended, if it begins at `now_ms`.
    pub(super) fn deadline_ms(&self, now_ms: u64) -> Option<u64> {
        (self.timeout_s > 0).then(|| now_ms.saturating_add(u64::from(self.timeout_s) * 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_when_what_was_printed_before_it_was_taken() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::write(&writer, b"before").expect("room");
        let mut next = NextStep::new(7, 2, 0, &reader);
        rustix::io::write(&writer, b"after").expect("room");
        assert_eq!((next.room(100), next.room(4), next.is_due()), (6, 4, false));
        next.taken(4);
        assert_eq!((next.room(100), next.is_due()), (2, false));
        next.taken(2);
        assert!(next.is_due());
    }

    #[test]
    fn output_that_has_ended_holds_nothing_back() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::write(&writer, b"before").expect("room");
        let mut next = NextStep::new(7, 2, 0, &reader);
        next.taken(0);
        assert!(next.is_due());
    }

    #[test]
    fn only_a_step_with_a_limit_has_a_deadline() {
        let (reader, _writer) = rustix::pipe::pipe().expect("a pipe");
        assert_eq!(NextStep::new(7, 2, 0, &reader).deadline_ms(500), None);
        assert_eq!(NextStep::new(7, 2, 3, &reader).deadline_ms(500), Some(3_500));
    }
}
