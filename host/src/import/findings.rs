//! What an import found out about one file: what it did not carry over, and what the user must look at.

use std::fmt::Write as _;

use crate::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::import::keys::Item;

/// Keys after the first that one diagnostic names; the comments name all.
const NAMED_KEYS: usize = 12;

/// What was found out about one file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Diagnostic>,
    left: Vec<Left>,
}

/// A key that was not carried over.
#[derive(Debug)]
struct Left {
    key: String,
    line: usize,
    span: Span,
    why: String,
}

impl Findings {
    /// Notes that `item` is not carried over: `why` says the reason, and where its meaning belongs, if anywhere.
    pub(super) fn leave(&mut self, item: &Item<'_>, why: impl Into<String>) {
        let (key, line, span) = (item.dotted(), item.line(), item.span);
        self.left.push(Left { key, line, span, why: why.into() });
    }

    /// Notes something that the user must look at.
    pub(super) fn warn(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.problems.push(Diagnostic::warning(code, span, message).with_help(help));
    }

    /// Notes why no board can be made.
    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.problems.push(Diagnostic::error(code, span, message).with_help(help));
    }

    /// Adds what was found out about another part of the file.
    pub(super) fn merge(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.left.extend(other.left);
    }

    /// Whether a board can be made.
    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// What was not carried over, for a comment: each reason with its keys; empty if nothing was left.
    pub(super) fn comment(&self) -> String {
        let mut text = String::new();
        for group in groups(&self.left) {
            let keys: Vec<_> =
                group.iter().map(|left| format!("{} (line {})", left.key, left.line)).collect();
            let why = group.first().map_or("", |left| &left.why);
            let _ = write!(text, "\n  {}\n    {}", sentence(why), keys.join(", "));
        }
        if text.is_empty() { text } else { format!("Not carried over:{text}") }
    }

    /// Everything as diagnostics: errors, what the user must look at, what was not carried over; each in the order of their
    /// places. Keys that stay behind for the same reason are one.
    pub(super) fn into_problems(self) -> Vec<Diagnostic> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| (problem.severity, problem.span()));
        problems.extend(groups(&self.left).iter().filter_map(|group| left_out(group)));
        problems
    }
}

/// What stays behind, by reason: groups and keys in the order of their places.
fn groups(left: &[Left]) -> Vec<Vec<&Left>> {
    let mut sorted: Vec<_> = left.iter().collect();
    sorted.sort_by_key(|left| left.span);
    let mut groups: Vec<Vec<&Left>> = Vec::new();
    for left in sorted {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.why == left.why)) {
            Some(group) => group.push(left),
            None => groups.push(vec![left]),
        }
    }
    groups
}

/// One diagnostic, at the first key: with an excerpt of the file for each it would be longer than the file.
fn left_out(group: &[&Left]) -> Option<Diagnostic> {
    let (first, others) = group.split_first()?;
    let mut keys = format!("`{}`", first.key);
    for left in others.iter().take(NAMED_KEYS) {
        let _ = write!(keys, ", `{}` (line {})", left.key, left.line);
    }
    if others.len() > NAMED_KEYS {
        let _ = write!(keys, ", {} more", others.len() - NAMED_KEYS);
    }
    let problem = Diagnostic::warning(Code::ImportLeftOut, first.span, format!("not carried over: {keys}"));
    Some(problem.with_help(first.why.clone()))
}

/// With a capital letter in front and a colon behind.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().filter(|_| !text.starts_with('`'));
    match first {
        Some(first) => format!("{}{}:", first.to_uppercase(), chars.as_str()),
        None => format!("{text}:"),
    }
}
