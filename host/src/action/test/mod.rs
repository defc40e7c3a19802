//! `test`: runs test definitions through the agent, on the console or over the secondary connection.
//!
//! ```text
//! (upload) ─▶ start the agent ─▶ for each definition: install.sh ─▶ run.sh ─▶ DefinitionFinished ─▶ agent ends, shell is back
//!                                           └── output, results and calls of helpers meanwhile ──┘
//! ```

mod agent_source;
mod board_directory;
mod calls;
mod case_book;
mod console_watch;
mod definition;
mod interactive;
mod monitor;
mod output_order;
mod output_pattern;
mod reported;
mod script;
mod stage;
mod text_signal;
mod transfer;
mod upload;

pub(crate) use board_directory::{await_prompt, clear_over_console};
pub(crate) use case_book::ResultRules;
pub(crate) use interactive::interactive;
pub(crate) use monitor::monitors;
pub(crate) use stage::test;
