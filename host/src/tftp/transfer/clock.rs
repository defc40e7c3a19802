//! When to send again: an adaptive timer (RFC 1123 §4.2.3.2 demands one), estimated as RFC 6298 does.

use std::time::{Duration, Instant};

use super::Policy;

/// A repeated ACK that comes sooner than this after sending may have crossed the window on its way.
const CROSSING: Duration = Duration::from_millis(10);

/// The retransmission timer of one transfer.
#[derive(Debug)]
pub(super) struct Clock {
    /// When the client last acknowledged something new.
    pub(super) progress_at: Instant,
    /// How often the window was sent.
    pub(super) sends: u32,
    sent_at: Instant,
    /// Retransmission time-out.
    rto: Duration,
    /// When a repeated ACK is to be believed, if one came too early for that.
    hint: Option<Instant>,
    estimate: Option<Estimate>,
}

/// Smoothed round-trip time and its variation.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    srtt: Duration,
    rttvar: Duration,
}

impl Clock {
    pub(super) fn new(policy: &Policy, now: Instant) -> Self {
        Self {
            progress_at: now,
            sends: 1,
            sent_at: now,
            rto: policy.first_timeout,
            hint: None,
            estimate: None,
        }
    }

    /// Takes in progress; the next window is about to be sent. `clean` says that what was acknowledged had been sent
    /// once, whole, so that the time since is a round trip (Karn's rule, RFC 6298 §3).
    ///
    /// After a repetition the time-out stays as long as it became, up to the first one: only a round trip shortens it.
    pub(super) fn progress(&mut self, policy: &Policy, now: Instant, clean: bool) {
        if clean {
            let estimate = Estimate::of(self.estimate, now.duration_since(self.sent_at));
            self.rto = estimate.timeout().max(policy.min_timeout);
            self.estimate = Some(estimate);
        }
        self.rto = self.rto.min(policy.first_timeout);
        self.progress_at = now;
        self.sent_at = now;
        self.sends = 1;
        self.hint = None;
    }

    /// Takes in that the window is sent again; it is the timer's doing if `overdue`, which then waits twice as long.
    pub(super) fn repeat(&mut self, policy: &Policy, now: Instant, overdue: bool) {
        if overdue {
            self.rto = (self.rto * 2).min(policy.max_timeout);
        }
        self.sent_at = now;
        self.sends += 1;
        self.hint = None;
    }

    /// Takes in a repeated ACK; returns whether it means at once that the window was lost. One that came too early
    /// for that brings the deadline forward.
    pub(super) fn believes_repeated_ack(&mut self, now: Instant) -> bool {
        let round_trip = self.estimate.map_or(Duration::ZERO, |estimate| estimate.srtt);
        let at = self.sent_at + CROSSING.max(round_trip * 2);
        self.hint = Some(at);
        now >= at
    }

    /// Returns whether the time-out is over.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now >= self.sent_at + self.rto
    }

    /// Returns when the window is to be sent again.
    pub(super) fn deadline(&self) -> Instant {
        let overdue = self.sent_at + self.rto;
        self.hint.map_or(overdue, |hint| hint.min(overdue))
    }
}

impl Estimate {
    /// RFC 6298 §2.2 and §2.3, with its weights.
    fn of(before: Option<Self>, sample: Duration) -> Self {
        before.map_or(Self { srtt: sample, rttvar: sample / 2 }, |before| Self {
            rttvar: (before.rttvar * 3 + before.srtt.abs_diff(sample)) / 4,
            srtt: (before.srtt * 7 + sample) / 8,
        })
    }

    fn timeout(self) -> Duration {
        self.srtt + self.rttvar * 4
    }
}
