//! The agent in a board's own root filesystem for good: installed, looked at, removed.
//!
//! ```text
//!   Program ─▶ plan ─▶ Change, Change, … ─▶ directory · tar · ext4 · ramdisk   (each a Tree)
//!                ▲                              what is there
//!                └── Tree: look, list, read ◀───┘
//!   ssh: the same installation, made by a shell on a running board
//! ```
//!
//! What an installation is, is the same everywhere: `/usr/lib/lava-agent` with the agent, the links that are its
//! helpers and a manifest, and the link `/usr/bin/lava-agent`. A `plan` works out from what is there what has to
//! change; the file of each kind of target makes these changes, all of them or none.

mod architecture;
mod compressed;
mod directory;
mod error;
mod ext4;
mod gpt;
mod install;
mod layout;
mod manifest;
mod names;
mod partition;
mod plan;
mod program;
mod ramdisk;
mod replace;
mod ssh;
mod status;
mod tar;
mod target;
mod tool;
mod tree;

pub use error::InstallError;
pub use install::{Done, Outcome, install, remove, status};
pub use layout::{AGENT, DIRECTORY};
pub use program::{Build, Program, program_in};
pub use ssh::SshTarget;
pub use status::{Installed, Status};
pub use target::{Options, Target};
