//! Readers of the event stream, one file per output.
//!
//! A report knows events and nothing else: a stored run fed through [`Reporter::report`] gives the same output as
//! the live one.

use std::io;

use crate::event::Event;

pub mod console_log;
pub mod jsonl;
pub mod junit;
pub mod results;
pub mod results_json;
pub mod terminal;

#[cfg(test)]
mod tests;

pub use results::Results;

/// `name` as one component of a path: what is not a letter, a digit, `-`, `_` or `.` becomes `_`.
pub(crate) fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// A reader of the event stream.
pub trait Reporter: Send {
    /// Short name for messages, such as `junit.xml`.
    fn name(&self) -> &'static str;

    /// Takes the next event.
    ///
    /// # Errors
    /// When the output cannot be written. The run goes on without this report and says so at its end.
    fn report(&mut self, event: &Event) -> io::Result<()>;
}
