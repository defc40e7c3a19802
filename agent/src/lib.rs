//! The program on the board, as a library: all of it but the way in.
//!
//! ```text
//!   command   console, stdio ──▶ agent ──┬─ line, terminal     the link's bytes
//!                                        ├─ script             what the runner wants run
//!   helper    lava-send, … ◀── socket ───┤
//!                                        └─ receive_file, clock
//! ```
//!
//! No heap and no libc: buffers have fixed sizes (heapless), system calls are rustix's, and what a C library does for
//! other programs is in `runtime` and the binary's `start.rs`.
#![cfg_attr(not(test), no_std)]

mod agent;
mod c_text;
mod clock;
mod command;
mod decimal;
mod environment;
mod failure;
mod helper;
pub mod invocation;
mod line;
mod netlink;
mod path;
mod program;
mod receive_file;
mod runtime;
mod script;
mod socket;
pub mod stdio;
mod syscall;
mod terminal;
mod text_file;

use invocation::Invocation;

/// Exit code for a bug in the program itself.
pub const EXIT_BUG: u8 = 70;

/// Runs the program: the helper it was called as, or the agent's own command line. Returns the exit code.
#[must_use]
pub fn run(invocation: &Invocation<'_>) -> u8 {
    match helper::find(invocation.name()) {
        Some(helper) => helper::run(helper, invocation),
        None => command::run(invocation),
    }
}
