//! Problems of the user's files: what is wrong, where, and what to write instead.
//!
//! Job, bench and board type files share this form, so that every problem of a file is told at once and shown alike.

mod code;
mod problem;
mod source;
mod suggest;

pub use code::Code;
pub use problem::{Diagnostic, Diagnostics, Label, MAX_PROBLEMS, Severity};
pub use source::{MAX_FILE_BYTES, ReadError, Source, Span};
pub use suggest::{did_you_mean, meant, nearest};

#[cfg(test)]
mod tests;
