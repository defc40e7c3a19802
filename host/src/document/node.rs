//! Values with their places.

use crate::diagnostic::{Source, Span};

/// A value and its place: for an alias or a merged key of YAML, the place where the value is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Where it is written.
    pub(crate) span: Span,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// YAML's `null`, `~` or nothing at all.
    Null,
    /// A truth value; in YAML `yes` and `on` as well.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Another number or a date: something that is neither text nor any of the others.
    Other,
    /// Text.
    Text(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the file; a key may occur more than once.
    Mapping(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key.
    pub(crate) name: String,
    /// Where it is written.
    pub(crate) span: Span,
}

impl Node {
    /// The scalar's text, for anything but text as it is written; `None` if it is no scalar or nothing.
    pub(crate) fn text<'a>(&'a self, source: &'a Source) -> Option<&'a str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Integer(_) | Value::Other => {
                source.text.get(self.span.offset..self.span.offset + self.span.len).map(str::trim)
            }
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }
}

/// Whether `before`, the text of a file up to a value, ends with the `|` or `>` that makes the value a block of text.
pub(super) fn ends_with_block_header(before: &str) -> bool {
    let Some((above, indent)) = before.rsplit_once('\n') else { return false };
    let header = above.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let header = header.split(" #").next().unwrap_or_default().trim_end();
    let header = header.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    let before = header.strip_suffix(['|', '>']);
    indent.trim().is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

impl Value {
    /// What kind of value it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "a whole number",
            Self::Other => "a number or date",
            Self::Text(_) => "text",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}
