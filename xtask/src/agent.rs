//! The agent: one small static program per kind of board.

mod build;
mod toolchain;

pub(crate) use build::{ARMV7_BUDGET, build, packages};
