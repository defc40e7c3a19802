//! Boards: bench file, board types, power, leases, the virtual board.

mod bench;
mod bench_file;
mod board_type;
pub mod lease;
pub mod power;
pub mod qemu;
pub mod virtual_network;
#[cfg(test)]
mod tests;

pub use bench::{
    Bench, BenchError, Board, ConsoleTarget, Location, Mirror, MirrorTarget, Power, QemuSettings,
    VirtualNetwork,
};
pub use board_type::{BoardType, LinuxSettings, SerialConsole, UbootSettings};
