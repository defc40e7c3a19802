//! The FIFOs of an agent whose bytes others carry: names in its directory.

/// What the runner says.
pub const FIFO_INPUT: &str = "line.in";

/// What the agent says.
pub const FIFO_OUTPUT: &str = "line.out";
