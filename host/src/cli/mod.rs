//! The command line, one file per subcommand. The only place that prints.

mod agent;
mod args;
mod bisect_step;
mod boards;
mod cache;
mod color;
mod completions;
mod console;
mod doctor;
mod explain;
mod help_text;
mod import;
mod init;
mod interrupt;
mod man;
mod message;
mod output;
mod ports;
mod power;
pub mod problems;
mod replay;
mod reports;
mod rootfs;
mod run;
mod runtime;
mod schema;
mod serve;
mod ssh;
mod u_boot_test;
mod validate;
mod web;

pub use args::main;
