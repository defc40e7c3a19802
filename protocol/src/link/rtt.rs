//! How long to wait for an acknowledgement: RFC 6298 with bounds that suit a serial line.

/// Longest time-out, in milliseconds: nobody else is on the line, so there is no congestion to yield to.
const MAX_MS: u64 = 1_000;

/// Doublings after which a time-out grows no more.
const MAX_BACK_OFF: u32 = 4;

#[derive(Debug)]
pub(super) struct RoundTrip {
    smoothed: Option<u64>,
    variation: u64,
    min_ms: u64,
    back_off: u32,
}

impl RoundTrip {
    /// An estimate for a link on which no time-out may be shorter than `min_ms`.
    pub(super) const fn new(min_ms: u64) -> Self {
        Self { smoothed: None, variation: 0, min_ms, back_off: 0 }
    }

    /// A frame that was transmitted once arrived after `took_ms`.
    pub(super) fn sample(&mut self, took_ms: u64) {
        match self.smoothed {
            None => {
                self.smoothed = Some(took_ms);
                self.variation = took_ms / 2;
            }
            Some(smoothed) => {
                self.variation = (3 * self.variation + smoothed.abs_diff(took_ms)) / 4;
                self.smoothed = Some((7 * smoothed + took_ms) / 8);
            }
        }
    }

    /// A frame timed out.
    pub(super) const fn back_off(&mut self) {
        if self.back_off < MAX_BACK_OFF {
            self.back_off += 1;
        }
    }

    /// Something new was acknowledged.
    pub(super) const fn progress(&mut self) {
        self.back_off = 0;
    }

    /// How long a frame that has left is waited for, in milliseconds.
    pub(super) fn timeout_ms(&self) -> u64 {
        let base = match self.smoothed {
            None => 1_000.max(self.min_ms),
            Some(smoothed) => (smoothed + 4 * self.variation).max(self.min_ms),
        };
        (base << self.back_off).min(MAX_MS.max(self.min_ms))
    }
}
