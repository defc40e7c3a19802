//! A board that answers at once: U-Boot, a kernel log and a root shell from a script, everything else real.
//!
//! ```text
//!           line (stdio, pty, TCP)        pseudo-terminal: the board's UART
//! runner ◀──────────────────────▶ pumps ◀──────────────────────────────────▶ U-Boot ─▶ kernel ─▶ shell ─▶ agent
//!                                                                             │ TFTP    │ NFSv3            sshd
//!                                                                             ▼         ▼
//!                                                                         the runner's servers
//! ```
//!
//! U-Boot really fetches by TFTP, the kernel really reads `/lava-*`, `/root/.ssh` and `/etc/ssh` from its NFS root,
//! and the shell really runs the agent that lies there, on the board's tty. Faults are switches: [`Fault`].

mod agent_line;
mod board;
mod hush;
mod kernel;
mod line;
mod nfs;
mod options;
mod rootfs;
mod shell;
mod sshd;
mod tftp;
mod uart;
mod uboot;

pub use board::{on_line, run};
pub use line::{Line, PtyPair};
pub use options::{Fault, Options};

#[cfg(test)]
mod tests;
