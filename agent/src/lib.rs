//! The program on the board, as a library: all of it but the way in.
//!
//! ```text
//!   command   console, … ──────▶ agent ──┬─ line, terminal     the link's bytes
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
mod fifo;
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

/// What fuzz targets look into (`cargo xtask fuzz`).
#[cfg(fuzzing)]
pub mod fuzzing {
    use core::ffi::CStr;

    use protocol::helper::{Packet, Reply};
    use protocol::limits::MAX_MESSAGE;

    use crate::socket::{self, Calls, Event};

    /// Most helpers that are served at once.
    pub const MAX_CONNECTIONS: usize = socket::MAX_CONNECTIONS;

    /// The agent's socket and the helpers on it.
    pub struct Helpers<'p>(Calls<'p>);

    impl<'p> Helpers<'p> {
        /// Listens at `path`.
        ///
        /// # Errors
        /// The errno of the system call that failed.
        pub fn listen(path: &'p CStr) -> rustix::io::Result<Self> {
            Calls::listen(path).map(Self)
        }

        /// Takes a connection and one packet of each that there is; `called` gets every call and its number.
        pub fn turn(&mut self, called: &mut dyn FnMut(u32, &Packet<'_>)) {
            self.0.accept();
            for index in (0..self.connections()).rev() {
                let mut buffer = [0; MAX_MESSAGE];
                if let Event::Called(call, request) = self.0.read(index, &mut buffer) {
                    called(call, &request);
                }
            }
        }

        /// Answers a call.
        pub fn reply(&mut self, call: u32, reply: &Reply<'_>) {
            self.0.reply(call, reply);
        }

        /// Connections at the moment.
        pub fn connections(&self) -> usize {
            self.0.connections().count()
        }
    }
}

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
