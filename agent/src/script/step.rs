//! Steps of a script: what it prints belongs to the step that it is in.
//!
//! A script says that it begins a step by `lava-step`, and waits for the answer. What it has printed before lies in the
//! pipe by then; the agent takes exactly that first. It is the same with the script's end: what is printed after it
//! comes from processes that the script has left behind.

use rustix::fd::AsFd;

/// A step that a script wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextStep {
    /// The call that waits for the answer.
    pub(crate) call: u32,
    /// Number of the step.
    pub(crate) step: u16,
    /// Seconds until the step is ended; 0 if it has no limit of its own.
    pub(super) timeout_s: u32,
}

impl NextStep {
    /// When the step is to be ended, if it begins at `now_ms`.
    pub(super) fn deadline_ms(&self, now_ms: u64) -> Option<u64> {
        (self.timeout_s > 0).then(|| now_ms.saturating_add(u64::from(self.timeout_s) * 1_000))
    }
}

/// Bytes of output that are to be taken before something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed(u64);

impl Owed {
    /// What lies in `output` now.
    pub(super) fn of(output: impl AsFd) -> Self {
        // A pipe that cannot say how much is in it is taken for empty.
        Self(rustix::io::ioctl_fionread(output).unwrap_or(0))
    }

    /// How much of a buffer of `length` bytes may be filled.
    pub(super) fn room(self, length: usize) -> usize {
        usize::try_from(self.0).map_or(length, |owed| owed.min(length))
    }

    /// How many they are.
    pub(super) fn bytes(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// `count` bytes were taken; none if there are no more.
    pub(super) fn taken(&mut self, count: usize) {
        self.0 = if count == 0 { 0 } else { self.0.saturating_sub(count as u64) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_what_was_there_before() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::write(&writer, b"before").expect("room");
        let mut owed = Owed::of(&reader);
        rustix::io::write(&writer, b"after").expect("room");
        assert_eq!((owed.room(100), owed.room(4)), (6, 4));
        owed.taken(4);
        assert_eq!(owed.room(100), 2);
        owed.taken(2);
        assert_eq!(owed.room(100), 0);
    }

    #[test]
    fn output_that_has_ended_owes_nothing() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::write(&writer, b"before").expect("room");
        let mut owed = Owed::of(&reader);
        owed.taken(0);
        assert_eq!(owed.room(100), 0);
    }

    #[test]
    fn only_a_step_with_a_limit_has_a_deadline() {
        let next = |timeout_s| NextStep { call: 7, step: 2, timeout_s };
        assert_eq!(next(0).deadline_ms(500), None);
        assert_eq!(next(3).deadline_ms(500), Some(3_500));
    }
}
