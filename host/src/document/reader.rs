//! Reads single values, and collects what is wrong with them.

use regex::Regex;

use super::node::{Node, Value};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source, Span, did_you_mean};

/// Whether `name` may be part of the name of a file: not empty, of letters, digits, `-`, `_` and `.`, and not hidden.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

/// Reads values of one file and collects the problems.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// The file.
    pub(crate) source: &'a Source,
    problems: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(source: &'a Source) -> Self {
        Self { source, problems: Vec::new() }
    }

    /// Notes a problem.
    pub(crate) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Ends the reading: `value` and the warnings, unless there are errors or no value.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Diagnostic>), Diagnostics> {
        self.problems.sort_by_key(|problem| (problem.span().offset, problem.severity));
        self.problems.dedup();
        let failed = self.problems.iter().any(|problem| problem.severity == Severity::Error);
        match value {
            Some(value) if !failed => Ok((value, self.problems)),
            _ => Err(Diagnostics { source: self.source.clone(), problems: self.problems }),
        }
    }

    /// `file:line:column` of `span`.
    pub(crate) fn place(&self, span: Span) -> String {
        self.source.place(span)
    }

    /// Notes that `node` is not the `expected` kind of value.
    pub(crate) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) -> Diagnostic {
        Diagnostic::error(
            "wrong-type",
            node.span,
            format!("`{what}` must be {expected}, not {}", node.value.kind()),
        )
    }

    /// Text, or a number or truth value as it is written.
    pub(crate) fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.text(self.source).map(str::to_owned);
        if text.is_none() {
            let problem = self.wrong_type(node, what, "text");
            self.report(problem);
        }
        text
    }

    /// Checks the name of `what`: names of boards, roles and definitions become parts of names of files.
    pub(crate) fn check_name(&mut self, name: &str, span: Span, what: &str) -> bool {
        let valid = is_name(name);
        if !valid {
            let message = format!("`{name}` cannot be the name of a {what}");
            let help = "use letters, digits, `-`, `_` and `.`; begin with another character than `.`";
            self.report(Diagnostic::error("invalid-name", span, message).with_help(help));
        }
        valid
    }

    /// Text that is not empty.
    pub(crate) fn non_empty(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.string(node, what)?;
        if text.trim().is_empty() {
            self.report(Diagnostic::error("empty-value", node.span, format!("`{what}` is empty")));
            return None;
        }
        Some(text)
    }

    /// A truth value.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        let problem = self.wrong_type(node, what, "`true` or `false`");
        self.report(problem);
        None
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn integer(&mut self, node: &Node, what: &str, min: u32, max: u32) -> Option<u32> {
        let Value::Integer(value) = node.value else {
            let problem = self.wrong_type(node, what, "a whole number");
            self.report(problem);
            return None;
        };
        match u32::try_from(value) {
            Ok(value) if (min..=max).contains(&value) => Some(value),
            _ => {
                let message = format!("`{what}` must be from {min} to {max}, not {value}");
                self.report(Diagnostic::error("out-of-range", node.span, message));
                None
            }
        }
    }

    /// A list of values, each read by `read`; a single value counts as a list of one.
    pub(crate) fn list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        match &node.value {
            Value::Sequence(items) => items.iter().filter_map(|item| read(self, item)).collect(),
            _ => read(self, node).into_iter().collect(),
        }
    }

    /// A list of texts, or a single one.
    pub(crate) fn strings(&mut self, node: &Node, what: &str) -> Vec<String> {
        self.list(node, |reader, item| reader.string(item, what))
    }

    /// A mapping of names to texts, in the file's order; the last of equal names wins.
    pub(crate) fn pairs(&mut self, node: &Node, what: &str) -> Vec<(String, String)> {
        let Some(fields) = self.fields(node, what) else { return Vec::new() };
        let mut pairs = Vec::new();
        for (key, value) in fields.rest() {
            // An empty value is an empty text: `DEBUG:` sets a variable to nothing.
            let value = match value.value {
                Value::Null => Some(String::new()),
                _ => self.string(value, key),
            };
            pairs.extend(value.map(|value| (key.to_owned(), value)));
        }
        pairs
    }

    /// One of the `choices`, by name.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(node, what)?;
        if let Some(&(_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(value);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let message = format!("`{what}` cannot be `{text}`");
        let near = did_you_mean(&text, choices.iter().map(|(name, _)| *name));
        let all = match names.as_slice() {
            [only] => format!("it can only be {only}"),
            _ => format!("it is one of {}", names.join(", ")),
        };
        let help = near.map_or(all.clone(), |near| format!("{near} {all}"));
        self.report(Diagnostic::error("unknown-value", node.span, message).with_help(help));
        None
    }

    /// A regular expression that compiles, as text.
    pub(crate) fn regex(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.non_empty(node, what)?;
        match Regex::new(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let message = format!("`{what}` is not a regular expression: {reason}");
                let help = "escape characters that have a meaning in regular expressions with `\\`";
                self.report(Diagnostic::error("invalid-regex", node.span, message).with_help(help));
                None
            }
        }
    }
}
