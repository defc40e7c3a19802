//! The network of the virtual boards: an anonymous namespace with a bridge and one tap per board.
//!
//! The runner has many threads and cannot enter a namespace of its own, so it starts a small helper inside one:
//!
//! ```text
//! runner ──spawn──▶ unshare [--user --map-root-user] --net ──exec──▶ host-runner virtual-network
//!    │                                                                 │ lo, br0 with the runner's address, tap0, tap1, …
//!    ├──── requests, one at a time, over a Unix seqpacket socket ──────▶ makes sockets, starts QEMU
//!    ◀──── answers, sockets as file descriptors ────────────────────────┤
//!    ├──── lifeline, one per started process ──────────────────────────▶ closed: the process is killed
//! ```
//!
//! A socket belongs for life to the network that it was made in, so the helper only makes it; binding, listening and connecting
//! happen in the runner. The namespace has no name: it ends with the helper, and the helper ends when the runner closes
//! its end of the socket or dies in whatever way. Nothing needs cleaning up.

mod client;
mod helper;
mod links;
mod namespaces;
mod network;
mod process;
mod wire;

pub use client::Namespace;
pub use helper::{HELPER_COMMAND, helper_main};
pub use links::Layout;
pub use network::{Seat, VirtualNetwork, VirtualNetworkError};
pub use process::{Exit, NamespaceProcess, Stdio};
pub use wire::Refusal;
