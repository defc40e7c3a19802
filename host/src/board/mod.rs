//! Boards: bench file, board types, power, the virtual board.

pub mod lease;
pub mod power;
pub mod qemu;
pub mod virtual_network;
