//! The link as a whole: two ends on a simulated line, in virtual time.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod close;
mod faults;
mod handshake;
mod injection;
mod line;
mod noise;
mod resets;
mod session;
