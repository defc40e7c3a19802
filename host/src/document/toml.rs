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
        let problem = |error: &toml::de::Error| {
            let span = error.span().map(to_span).unwrap_or_default();
            Diagnostic::error(Code::TomlSyntax, span, error.message())
        };
        return Err(errors.iter().map(problem).collect());
    }
    let span = to_span(table.span());
    Ok(Node { value: mapping(table.into_inner()), span })
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
