//! The built program on a fake board: what passes, and every fault with its exit code, words and traces.

mod passing;
