//! The link as a whole: two ends on a simulated line, in virtual time.

mod close;
mod faults;
mod foreign_text;
mod handshake;
mod line;
