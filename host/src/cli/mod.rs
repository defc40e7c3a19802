//! The command line, one file per subcommand. The only place that prints.

mod agent;
mod args;
mod boards;
mod cache;
mod completions;
mod explain;
mod import;
mod man;
mod message;
mod output;
mod power;
pub mod problems;
mod replay;
mod reports;
mod rootfs;
mod run;
mod runtime;
mod schema;
mod serve;
mod validate;

pub use args::main;
