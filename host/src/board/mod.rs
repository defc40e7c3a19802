//! Boards: bench file, board types, power, the virtual board.

mod bench;
mod board_type;

pub use bench::{Bench, Board, ConsoleTarget, Mirror, MirrorTarget, Power, QemuSettings, VirtualNetwork};
pub use board_type::{BoardType, LinuxSettings, SerialConsole, UbootSettings};
