//! How long something may take, and what says so: an error about a time-out names both.

use std::fmt;
use std::time::{Duration, Instant};

/// A length of time, and what set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How long.
    pub time: Duration,
    /// What says so, such as `` `timeouts.actions.bootloader-commands`, job.yaml:12:5 ``.
    pub origin: String,
}

impl Limit {
    /// A limit of `time` that `origin` sets.
    pub fn new(time: Duration, origin: impl Into<String>) -> Self {
        Self { time, origin: origin.into() }
    }

    /// The shorter of two limits; `self` if they are equal.
    #[must_use]
    pub fn shorter(self, other: &Self) -> Self {
        if other.time < self.time { other.clone() } else { self }
    }

    /// The moment at which it is used up by what begins at `start`.
    pub fn after(&self, start: Instant) -> Deadline {
        Deadline { at: start + self.time, limit: self.clone() }
    }
}

/// `240 s: <what says so>`; parts of a second are rounded up.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s: {}", self.time.as_secs_f64().ceil(), self.origin)
    }
}

/// The moment at which a limit is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// What ends then.
    pub limit: Limit,
}

impl Deadline {
    /// The earlier of two deadlines; `self` if they are equal.
    #[must_use]
    pub fn earlier(self, other: &Self) -> Self {
        if other.at < self.at { other.clone() } else { self }
    }

    /// The deadline of a part that begins at `start`, within this one: that of `limit` if it is earlier.
    #[must_use]
    pub fn of_part(&self, start: Instant, limit: Option<&Limit>) -> Self {
        limit.map_or_else(|| self.clone(), |limit| self.clone().earlier(&limit.after(start)))
    }
}

/// The time of one attempt of several that share what `left` is left: the attempts to come share evenly, so that an
/// attempt that hangs leaves each later one its share, and one that fails early leaves the later ones more.
/// `pause` is waited before each attempt but the first of them.
pub fn share(left: Duration, attempts_left: u32, pause: Duration) -> Duration {
    let attempts_left = attempts_left.max(1);
    left.saturating_sub(pause.saturating_mul(attempts_left - 1)) / attempts_left
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_part_ends_with_the_earlier_of_its_own_limit_and_the_whole() {
        let now = Instant::now();
        let whole = Limit::new(60 * SECOND, "the block").after(now);
        assert_eq!(whole.of_part(now, None), whole);
        let part = Limit::new(30 * SECOND, "the part");
        assert_eq!(whole.of_part(now + 10 * SECOND, Some(&part)), part.after(now + 10 * SECOND));
        assert_eq!(whole.of_part(now + 40 * SECOND, Some(&part)), whole);
        assert_eq!(whole.of_part(now + 30 * SECOND, Some(&part)), whole, "a tie is the whole's");
    }

    #[test]
    fn a_limit_says_its_length_and_its_origin() {
        let limit = Limit::new(Duration::from_millis(1500), "`timeouts.job`, job.yaml:4:3");
        assert_eq!(limit.to_string(), "2 s: `timeouts.job`, job.yaml:4:3");
        let longer = Limit::new(2 * SECOND, "another");
        assert_eq!(longer.shorter(&limit), limit);
    }

    #[test]
    fn attempts_share_what_is_left_evenly() {
        assert_eq!(share(60 * SECOND, 2, Duration::ZERO), 30 * SECOND);
        assert_eq!(share(60 * SECOND, 3, SECOND), Duration::from_secs(58) / 3);
        // The first hung for its whole share: the second has the other half.
        assert_eq!(share(30 * SECOND, 1, SECOND), 30 * SECOND);
        // The first failed after 4 s: the second has what it left.
        assert_eq!(share(56 * SECOND, 1, SECOND), 56 * SECOND);
        assert_eq!(share(SECOND, 5, SECOND), Duration::ZERO);
        assert_eq!(share(SECOND, 0, SECOND), SECOND);
    }
}
