//! Boards: bench file, board types, power, leases, the virtual board.

mod bench;
pub(crate) mod bench_file;
pub(crate) mod board_type;
pub mod lease;
pub mod power;
mod programs;
pub mod qemu;
#[cfg(test)]
mod tests;
mod tokens;
pub mod virtual_network;

pub use bench::{
    AgentLink, Bench, BenchCommand, BenchError, Board, BoardInfo, ConsoleTarget, QemuSettings, SshAccess,
    UBootTest, VirtualNetwork,
};
pub(crate) use board_type::is_load_address;
pub use board_type::{BoardType, LinuxSettings, LoadAddresses, SerialConsole, UbootSettings};
pub(crate) use programs::Programs;
pub use tokens::{Secret, TokenError, TokenSource, Tokens};
