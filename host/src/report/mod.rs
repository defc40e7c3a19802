//! Readers of the event stream, one file per output.
//!
//! A report knows events and nothing else: a stored run fed through [`Reporter::report`] gives the same output as
//! the live one.

use std::io;

use crate::event::Event;

mod bounded;
pub mod ci;
pub mod console_log;
mod evidence;
mod files;
mod finding;
pub mod html;
pub mod job_file;
pub mod jsonl;
pub mod junit;
pub mod lava;
pub mod lines;
pub mod output;
mod reports;
pub mod results;
pub mod results_json;
mod tail;
pub mod tap;
pub mod terminal;
mod yaml;

#[cfg(test)]
mod tests;

pub use files::files;
pub(crate) use finding::Place;
pub use reports::{Broken, Reports};
pub use results::Results;

/// `name` as one component of a path: what is not a letter, a digit, `-`, `_` or `.` becomes `_`.
pub(crate) fn file_name(name: &str) -> String {
    // `.` and `..` are other directories.
    let is_special = name.chars().all(|c| c == '.');
    let is_kept = |c: char| c.is_alphanumeric() || "-_".contains(c) || (c == '.' && !is_special);
    name.chars().map(|c| if is_kept(c) { c } else { '_' }).collect()
}

/// A reader of the event stream.
pub trait Reporter: Send {
    /// Short name for messages, such as `junit.xml`.
    fn name(&self) -> &'static str;

    /// Takes the next event; `so_far` is what the run has come to with it.
    ///
    /// # Errors
    /// When the output cannot be written. The run goes on without this report and says so at its end.
    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()>;

    /// The events have ended before the last one of a run, as those of a run whose process was killed: what is written
    /// at the end of a run is written now.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn cut_off(&mut self, _so_far: &Results) -> io::Result<()> {
        Ok(())
    }
}
