//! YAML, as PyYAML's users write it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::node::{Key, Node, Value};
use crate::diagnostic::{Diagnostic, Source, Span};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;
/// Most values that are read, aliases counted wherever they are used.
const MAX_NODES: usize = 20_000;

/// Parses the one document of `source`.
///
/// # Errors
/// It is not YAML, or too deep or too large; the first such problem.
pub(crate) fn parse_yaml(source: &Source) -> Result<Node, Box<Diagnostic>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(&source.text, options).map_err(|error| {
        let span = error.location().map(|location| span_of_error(location, source)).unwrap_or_default();
        Box::new(Diagnostic::error("yaml-syntax", span, message_of(&error)))
    })
}

/// The parser's message without the place, which the diagnostic tells in its own way.
fn message_of(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line ").or_else(|| text.find("\n")).unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).trim().to_owned()
}

/// Errors may come with a line and a column only.
fn span_of_error(location: serde_saphyr::Location, source: &Source) -> Span {
    if location.span().byte_offset().is_some() {
        return to_span(location);
    }
    let from_zero = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let (line, column) = (from_zero(location.line()), from_zero(location.column()));
    let before: usize = source.text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.text.get(before..).unwrap_or_default();
    let within = rest.char_indices().nth(column).map_or(rest.len(), |(index, _)| index);
    Span { offset: before + within, len: 0 }
}

fn to_span(location: serde_saphyr::Location) -> Span {
    let span = location.span();
    let bytes = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or_default();
    Span { offset: bytes(span.byte_offset()), len: bytes(span.byte_len()) }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, span: to_span(spanned.defined) })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { name: spanned.value, span: to_span(spanned.defined) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry::<Key, Node>()? {
            entries.push(entry);
        }
        Ok(Value::Mapping(entries))
    }
}
