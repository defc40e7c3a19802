//! The agent: one small static program per kind of board.

mod architecture;
mod build;
mod debian;
mod memory;
mod session;
mod toolchain;

pub(crate) use architecture::{ARMV7, all};
pub(crate) use build::{Agent, build, packages};
