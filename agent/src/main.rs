//! The program on the board.
fn main() {}
