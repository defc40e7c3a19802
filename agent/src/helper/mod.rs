//! The helpers that test definitions call: LAVA's names and arguments, one module per subject.
//!
//! A helper says what is wrong on standard error and exits with 1, also where LAVA's would exit with 0 (see the
//! modules). Wrong arguments are reported to the runner as well, so that a misspelt call cannot pass unseen.

mod background;
mod client;
mod message_cache;
mod multinode;
mod network;
mod packages;
mod script_text;
mod shell_script;
mod step;
mod table;
mod target;
mod test;
mod turn;

pub(crate) use table::{Context, find, link, list, run};
