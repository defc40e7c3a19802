//! Whether a bench is in order, checked and never guessed.
//!
//! ```text
//! bench ─▶ examine_file ───── bench_file
//! bench ─▶ examine_bench ──┬─▶ network · ports · nfs_call · firewall · clock · storage
//!                          ├─▶ agents · serial · console_server · programs · switches   of every board
//!                          └─▶ emulator                                   of the virtual ones
//! board ─▶ examine_board ──── reset ─▶ uboot ─▶ transfer ─▶ off           the board is leased and switched
//!                                 each ─▶ Finding ─▶ Findings
//! ```
//!
//! [`examine_bench`] opens no serial port of this PC and switches nothing. [`examine_board`] does both, and leaves the board off.

mod agents;
mod bench_file;
mod board;
mod clock;
mod console_server;
mod emulator;
mod examination;
mod finding;
mod firewall;
mod network;
mod nfs_call;
mod ports;
mod programs;
mod serial;
mod socket_owner;
mod storage;
mod switches;

pub use bench_file::examine_file;
pub(crate) use board::Heard;
pub use board::{Trial, examine_board};
pub use examination::examine_bench;
pub use finding::{Check, Finding, Findings, Status};
pub use network::network_address;
