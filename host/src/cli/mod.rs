//! The command line, one file per subcommand. The only place that prints.

mod agent;
mod args;
mod message;
pub mod problems;
mod replay;
mod rootfs;
mod run;
mod runtime;
mod validate;

pub use args::main;
