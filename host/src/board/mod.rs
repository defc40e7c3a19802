//! Boards: bench file, board types, power, the virtual board.
