//! TOML.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Key, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Source, Span};

/// Parses `source`.
///
/// # Errors
/// It is not TOML; every such problem.
pub(crate) fn parse_toml(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        if let Some(problem) = yaml(source) {
            return Err(vec![problem]);
        }
        let problem = |error: &toml::de::Error| {
            let span = error.span().map(to_span).unwrap_or_default();
            let problem = Diagnostic::error(Code::TomlSyntax, span, error.message());
            // `console = ttyS0`
            let is_bare = error.message().contains("invalid boolean");
            problem.with_optional_help(is_bare.then(|| "put text in quotes".to_owned()))
        };
        return Err(errors.iter().map(problem).collect());
    }
    let span = to_span(table.span());
    Ok(Node { value: mapping(table.into_inner()), span })
}

/// Whether a file that is no TOML is YAML, as a job.
fn yaml(source: &Source) -> Option<Diagnostic> {
    let says = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let first = source.text.lines().find(says)?;
    let is_key = first.split_once(':').is_some_and(|(key, value)| {
        !key.contains([' ', '=', '"']) && (value.is_empty() || value.starts_with(' '))
    });
    let offset = source.text.find(first)?;
    (is_key || first.starts_with("- ") || first == "---").then(|| {
        let span = Span { offset, len: first.len() };
        Diagnostic::error(Code::TomlSyntax, span, "this looks like YAML, and a bench file is TOML")
            .with_help("give a job file without an option, and a bench file with `--bench`")
    })
}

fn to_span(range: Range<usize>) -> Span {
    Span { offset: range.start, len: range.len() }
}

fn mapping(table: DeTable<'_>) -> Value {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| {
            (Key { span: to_span(key.span()), name: key.into_inner().into_owned() }, node(value))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span);
    Value::Mapping(entries)
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let span = to_span(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => {
            let digits: String = integer.as_str().chars().filter(|&c| c != '_').collect();
            i128::from_str_radix(&digits, integer.radix()).map_or(Value::Other, Value::Integer)
        }
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
        DeValue::Array(items) => Value::Sequence(items.into_iter().map(node).collect()),
        DeValue::Table(table) => mapping(table),
    };
    Node { value, span }
}
