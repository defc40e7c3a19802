//! The built program on a bench of its own: a directory, two loopback addresses and a [fake board](crate::fake_board).
//!
//! ```text
//! Testbench ── writes ──▶ bench.toml, board type, artifacts, job.yaml
//!     │ run / start
//!     ▼
//! Running ── wait_for, signal ──▶ host-runner run ◀── console, TFTP, NFS ──▶ fake-board
//!     │ finish
//!     ▼
//! Finished: exit code, terminal, results.json, run.jsonl, junit.xml, console log, power log
//! ```
//!
//! Tests run at the same time: every bench has its own addresses, so that each has port 69 to itself. Binding that
//! port needs privileges; a test without them fails and says so.

mod adapter;
mod address;
mod artifacts;
mod finished;
mod flow;
mod job;
mod median;
mod ordinary_user;
mod outlet;
mod peers;
mod programs;
mod running;
mod terminal;
mod testbench;
pub mod usage;
mod verdict;

pub use adapter::Adapter;
pub use address::Addresses;
pub use artifacts::{ZIMAGE_MAGIC_OFFSET, rootfs_tar, tar_of, zimage};
pub use finished::Finished;
pub use flow::Flow;
pub use job::{Definition, Job};
pub use median::median;
pub use ordinary_user::{OrdinaryUser, Tun, user_name};
pub use outlet::{Outlet, on_outlet};
pub use peers::{bench_peer, installed_peer};
pub use programs::{agent, fake_board, host_runner, target_directory};
pub use running::{PATIENCE, Running};
pub use terminal::{OnTerminal, pseudo_terminal};
pub use testbench::{ARTIFACTS_URL, BOARD, NODE, Testbench};
pub use verdict::{is_larger, print_verdict};
