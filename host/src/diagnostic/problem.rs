//! One problem, and all the problems of a file.

use std::fmt;

use super::code::Code;
use super::source::{Source, Span};
use crate::fault::{Class, Fault};

/// Most problems of a file that are kept.
pub const MAX_PROBLEMS: usize = 1000;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but part of it does not do what it seems to.
    Warning,
}

/// A place that belongs to a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, a few words; may be empty.
    pub text: String,
}

/// One problem of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of problem.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a fragment without a final stop.
    pub message: String,
    /// Where; the first is the main one.
    pub labels: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether it is known what was meant: the problem is no consequence of another mistake.
    pub is_understood: bool,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: String::new() }];
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels,
            help: None,
            is_understood: false,
        }
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Says what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to write instead, if it is known.
    #[must_use]
    pub fn with_optional_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// What was meant is known.
    #[must_use]
    pub fn understood(self) -> Self {
        Self { is_understood: true, ..self }
    }

    /// Adds what was meant, if it is known.
    #[must_use]
    pub fn with_meaning(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.with_help(help).understood(),
            None => self,
        }
    }

    /// Adds another place.
    #[must_use]
    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Whether the file cannot be used for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The main place.
    pub fn span(&self) -> Span {
        self.labels.first().map_or_else(Span::default, |label| label.span)
    }
}

/// All the problems of one file. At least one of them is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// The file.
    pub source: Source,
    /// The problems, in the order of their places.
    pub problems: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The problems as one fault of `class`: one line each, `file:line:column: message`.
    pub fn into_fault(self, class: Class) -> Fault {
        let first = self.problems.first().map(Diagnostic::span).unwrap_or_default();
        Fault::new(class, self.source.place(first), self)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let place = self.source.place(problem.span());
            write!(f, "{place}: {severity}[{}]: {}", problem.code, problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
