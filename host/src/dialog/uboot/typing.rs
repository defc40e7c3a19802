//! Typing one line, paced by its echo: a few characters, see them come back, the next.
//!
//! A U-Boot that polls its UART while it prints loses characters that arrive meanwhile; one that has echoed
//! everything is ready for more. So no fixed delay is needed, and a lost character is noticed at once.

use std::time::{Duration, Instant};

/// Characters on the way at a time: less than the receive FIFO of common UARTs (16).
const GROUP: usize = 12;
/// How long an echo may take.
const ECHO_LIMIT: Duration = Duration::from_secs(2);

/// A line on its way.
#[derive(Debug)]
pub(super) struct Typing {
    line: Vec<u8>,
    sent: usize,
    sent_at: Instant,
    /// Whether all that was sent has come back.
    echoed: bool,
    group: usize,
    delay: Duration,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing until more echo comes or the deadline.
    Wait,
    /// Send these bytes.
    Send(Vec<u8>),
    /// The whole line was echoed.
    Complete,
    /// The echo differs, or did not come in time.
    Failed { sent: String, echo: String },
}

impl Typing {
    /// Types `line`; `slowly` and with a `delay`, one character at a time.
    pub(super) fn new(line: &str, delay: Duration, slowly: bool, now: Instant) -> Self {
        let group = if slowly || !delay.is_zero() { 1 } else { GROUP };
        Self { line: line.trim().as_bytes().to_vec(), sent: 0, sent_at: now, echoed: true, group, delay }
    }

    /// Compares `echo`, all that came since the line's begin, with what was sent.
    pub(super) fn proceed(&mut self, now: Instant, echo: &[u8]) -> Progress {
        // The prompt's own last blank may come late.
        let echo = echo.trim_ascii_start();
        let sent = self.line.get(..self.sent).unwrap_or_default();
        self.echoed = echo == sent;
        if !self.echoed {
            return if sent.starts_with(echo) && now < self.sent_at + ECHO_LIMIT {
                Progress::Wait
            } else {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                Progress::Failed { sent: text(sent), echo: text(echo) }
            };
        }
        if self.sent == self.line.len() {
            return Progress::Complete;
        }
        if self.sent > 0 && now < self.sent_at + self.delay {
            return Progress::Wait;
        }
        let end = (self.sent + self.group).min(self.line.len());
        let next = self.line.get(self.sent..end).unwrap_or_default().to_vec();
        self.sent = end;
        self.sent_at = now;
        self.echoed = false;
        Progress::Send(next)
    }

    /// When [`proceed`](Self::proceed) wants to be called, if no echo comes before.
    pub(super) fn deadline(&self) -> Instant {
        self.sent_at + if self.echoed { self.delay } else { ECHO_LIMIT }
    }
}
