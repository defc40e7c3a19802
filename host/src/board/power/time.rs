//! The time that switching may take.

use std::time::Duration;

use tokio::time::Instant;

/// A length of time that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    start: Instant,
    limit: Duration,
}

impl Time {
    /// Begins now.
    pub(super) fn new(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// A part of it that begins now: `limit`, or what is left if that is less.
    pub(super) fn part(&self, limit: Duration) -> Self {
        Self::new(limit.min(self.left()))
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Whether nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// All of it.
    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }
}
