//! A Linux kernel's NFS client in a few seconds: Debian's user-mode Linux, a kernel that runs as a process, in a network of
//! its own with the server under test.
//!
//! ```text
//! test or benchmark
//!   │  Network::start      a network namespace: the server's address, and a tap
//!   ├──▶ Server            host-runner rootfs serve, or another one
//!   └──▶ Guest::boot       linux.uml at the tap; the machine's own files are its root, not writable
//!          │ mount         the server's export at /srv
//!          └ run           a script of the shell ──▶ its output and exit status
//! ```
//!
//! Every process ends with the network, and the network with the test, however that ends. x86-64 only: there is no
//! user-mode Linux for other machines. It needs what `cargo xtask lab` leaves in `target/lab/uml`, and the machine's
//! `mount.nfs` (Debian package nfs-common), `insmod` (kmod) and `ip` (iproute2).

mod guest;
mod network;
mod server;

pub use guest::{Guest, MOUNT_POINT, Step};
pub use network::{CLIENT, Network, Process, SERVER};
pub use server::Server;
