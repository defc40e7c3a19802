//! Whose fault it is: the classes of everything that can go wrong, and the exit code of each.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose fault a failure is. The exit code follows from it; see [`exit_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A test ran and did not pass, or a definition did not run to its end.
    Test,
    /// The job file is wrong.
    Job,
    /// The command line is wrong, or names what is not there.
    Usage,
    /// Board, network, artifact or boot.
    Infrastructure,
    /// The bench file or a board type is wrong.
    Bench,
    /// The user, or a signal, stopped the run.
    Cancelled,
    /// A bug of host-runner itself.
    Bug,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "test",
            Self::Job => "job",
            Self::Usage => "usage",
            Self::Infrastructure => "infrastructure",
            Self::Bench => "bench",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        })
    }
}

/// What announces the last lines of a board in a message.
pub(crate) const LAST_LINES: &str = "the board last said:";

/// One failure, told to the user: whose fault, what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Whose fault it is.
    pub class: Class,
    /// What happened, a sentence fragment without a final stop; may hold several lines.
    pub message: String,
    /// Where: node and phase, `file:line:column`, a device or a URL.
    #[serde(rename = "where")]
    pub place: String,
    /// What to do about it, if that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Fault {
    /// A fault of `class` at `place`.
    pub fn new(class: Class, place: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { class, message: message.to_string(), place: place.into(), help: None }
    }

    /// A fault whose message is `error` with all its causes.
    pub fn from_error(class: Class, place: impl Into<String>, error: &dyn std::error::Error) -> Self {
        Self::new(class, place, Chain(error))
    }

    /// The message in one line, without what a board said last.
    pub fn headline(&self) -> &str {
        let line = self.message.lines().next().unwrap_or_default();
        line.strip_suffix(LAST_LINES).map_or(line, |line| line.trim_end_matches([';', ' ']))
    }

    /// Whether the message has the last lines of the board.
    pub(crate) fn has_last_lines(&self) -> bool {
        self.message.contains(LAST_LINES)
    }

    /// Adds what to do about it, if that is known.
    #[must_use]
    pub fn with_optional_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Displays an error and its causes, joined by `: `.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The exit code of a run or command that ended with a fault of `class`, or of one that passed (`None`).
///
/// | code | meaning |
/// |---|---|
/// | 0 | pass |
/// | 1 | test failure |
/// | 2 | usage or job file |
/// | 3 | infrastructure: board, network, artifact, boot |
/// | 4 | bench configuration |
/// | 5 | cancelled |
/// | 70 | a bug of host-runner |
pub const fn exit_code(class: Option<Class>) -> u8 {
    match class {
        None => 0,
        Some(Class::Test) => 1,
        Some(Class::Job | Class::Usage) => 2,
        Some(Class::Infrastructure) => 3,
        Some(Class::Bench) => 4,
        Some(Class::Cancelled) => 5,
        Some(Class::Bug) => 70,
    }
}
