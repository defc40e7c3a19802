//! TFTP from the outside: a client that does what U-Boot's does, and a network that loses packets.

mod client;
mod relay;

pub use client::{Client, Fetched};
pub use relay::{Direction, Fate, Relay};

/// Opcodes (RFC 1350 §5, RFC 2347).
const READ_REQUEST: u16 = 1;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OPTION_ACK: u16 = 6;

/// The opcode of a datagram; 0 if it has none.
fn opcode(datagram: &[u8]) -> u16 {
    number(datagram, 0)
}

/// The 16 bits at `offset`; 0 if they are not there.
fn number(datagram: &[u8], offset: usize) -> u16 {
    datagram.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}
