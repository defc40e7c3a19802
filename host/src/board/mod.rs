//! Boards: bench file, board types, power, leases, the virtual board.

mod bench;
mod bench_file;
mod board_type;
pub mod lease;
pub mod power;
pub mod qemu;
#[cfg(test)]
mod tests;
pub mod virtual_network;

pub use bench::{
    AgentLink, Bench, BenchError, Board, BoardInfo, ConsoleTarget, QemuSettings, VirtualNetwork,
};
pub use board_type::{BoardType, LinuxSettings, SerialConsole, UbootSettings};
