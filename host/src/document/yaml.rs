//! YAML, as PyYAML's users write it.

mod lines;
mod mistake;
mod open;
mod scalar;
mod shift;
mod structure;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error, NonFiniteFloatPolicy, Spanned};

use self::mistake::{Kind, Mistake};
pub(crate) use self::shift::Shift;
use super::node::{Key, Node, Value, ends_with_block_header};
use crate::diagnostic::{Code, Diagnostic, Source, Span};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;
/// Most values that are read, aliases counted wherever they are used.
const MAX_NODES: usize = 20_000;
/// Most aliases that are read.
const MAX_ALIASES: usize = 1000;
/// Most text that anchors can hold for their aliases, in bytes.
const MAX_ANCHORED_BYTES: usize = 128 * 1024;
/// Most of the text before a value that is looked at for what it says of the value, in bytes.
const MAX_BEFORE: usize = 1000;

/// Parses the one document of `source`. Plain scalars have the values that they have for PyYAML, which LAVA uses.
///
/// # Errors
/// It is not YAML, or too deep or too large; the first such problem.
pub(crate) fn parse_yaml(source: &Source) -> Result<Node, Box<Diagnostic>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_recorded_anchor_bytes: MAX_ANCHORED_BYTES,
            // One anchor may well have hundreds of aliases.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 2 * MAX_NODES },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    let mut node: Node = serde_saphyr::from_str_with_options(&source.text, options)
        .map_err(|error| Box::new(toml(source).unwrap_or_else(|| problem(&error, source))))?;
    resolve(&mut node, &source.text);
    Ok(node)
}

/// Whether a file that is no YAML is TOML, as a bench file.
fn toml(source: &Source) -> Option<Diagnostic> {
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let first = source.text.lines().find(says)?;
    let is_table = first.starts_with('[') && first.trim_end().ends_with(']') && !first.contains(',');
    let is_key = first.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', ':']));
    let offset = source.text.find(first)?;
    (is_table || is_key).then(|| {
        let span = Span { offset, len: first.len() };
        Diagnostic::error(Code::YamlSyntax, span, "this looks like TOML, and a job is YAML")
            .with_help("give a bench file with `--bench`")
    })
}

/// Gives plain scalars the values that they have for PyYAML.
fn resolve(node: &mut Node, text: &str) {
    match &mut node.value {
        Value::Sequence(items) => items.iter_mut().for_each(|item| resolve(item, text)),
        Value::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| resolve(value, text)),
        Value::Null => {}
        value @ (Value::Bool(_) | Value::Integer(_) | Value::Other | Value::Text(_)) => {
            let Span { offset, len } = node.span;
            let Some(written) = text.get(offset..offset + len) else { return };
            let before = end_of(text.get(..offset).unwrap_or_default());
            // Of quoted text, text in a block and text on several lines it is clear that it is text.
            let is_plain = match value {
                Value::Text(text) => text == written,
                _ => true,
            };
            let is_plain = is_plain && !ends_with_tag(before) && !ends_with_block_header(before);
            if is_plain && !written.contains('\n') {
                *value = scalar::resolve(written.trim());
            }
        }
    }
}

/// The last [`MAX_BEFORE`] bytes of `text`.
fn end_of(text: &str) -> &str {
    let from = text.len().saturating_sub(MAX_BEFORE);
    (from..=text.len()).find_map(|from| text.get(from..)).unwrap_or_default()
}

/// Whether what follows has a tag, which says what it is.
fn ends_with_tag(before: &str) -> bool {
    let word = before.trim_end().rsplit([' ', '\t', '\n']).next().unwrap_or_default();
    let last = word.rsplit(['[', '{', ',']).next().unwrap_or_default();
    word.contains("!<") || last.starts_with('!')
}

/// The parser's error in words for people.
fn problem(error: &Error, source: &Source) -> Diagnostic {
    let span = error.location().map(|location| span_of_error(location, source)).unwrap_or_default();
    let at = |message: String, help: &str| Diagnostic::error(Code::YamlSyntax, span, message).with_help(help);
    let mut root = error;
    while let Error::AliasError { error, .. } = root {
        root = error;
    }
    match root {
        Error::MultipleDocuments { .. } => {
            let before = source.text.get(..span.offset + span.len).unwrap_or(&source.text);
            let offset = before.rfind("\n---").map_or(span.offset, |index| index + 1);
            let help = "put each document in a file of its own";
            Diagnostic::error(Code::YamlSyntax, Span { offset, len: 3 }, "a second document begins here")
                .with_help(help)
        }
        Error::Budget { breach, .. } => {
            let (message, help) = too_large(breach);
            at(message, help)
        }
        Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => at(
            format!("aliases stand for more than {} values", 2 * MAX_NODES),
            "an alias such as `*name` counts as all that it stands for",
        ),
        Error::AliasReplayStackDepthExceeded { .. } | Error::RecursiveReferencesRequireWeakTypes { .. } => {
            at("this alias stands for something that it is part of".to_owned(), "write the value out")
        }
        Error::NullIntoString { .. } => at("a key cannot be empty".to_owned(), "write the key in quotes"),
        Error::Unexpected { expected: "string scalar", .. } => {
            at("a key must be text, not a list or a mapping".to_owned(), "put it in quotes if it is text")
        }
        Error::InvalidBinaryBase64 { .. } | Error::BinaryNotUtf8 { .. } => {
            at("`!!binary` needs text in base64".to_owned(), "leave `!!binary` out if it is plain text")
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => at(
            "`<<` needs a mapping, or a list of mappings".to_owned(),
            "write `<<: *name` for a mapping with `&name`",
        ),
        _ => {
            let reason = message_of(error);
            let mistake = Mistake::find(&source.text, span.offset, &reason);
            mistake.map_or_else(
                || Diagnostic::error(Code::YamlSyntax, span, &reason),
                |Mistake { span, message, help, other, kind }| {
                    let code = if kind == Kind::Indent { Code::WrongIndent } else { Code::YamlSyntax };
                    let problem = Diagnostic::error(code, span, message).with_help(help);
                    let problem = if kind == Kind::Understood { problem.understood() } else { problem };
                    other.into_iter().fold(problem, |problem, (span, text)| problem.with_label(span, text))
                },
            )
        }
    }
}

/// Which bound a file breaks, and what to do.
fn too_large(breach: &BudgetBreach) -> (String, &'static str) {
    match breach {
        BudgetBreach::Depth { .. } => {
            (format!("lists and mappings are nested deeper than {MAX_DEPTH}"), "nest them less deep")
        }
        BudgetBreach::Aliases { .. } => {
            (format!("the file has more than {MAX_ALIASES} aliases such as `*name`"), "write values out")
        }
        BudgetBreach::RecordedAnchorBytes { .. } | BudgetBreach::RecordedAnchorEvents { .. } => (
            format!("the values with anchors such as `&name` have more than {MAX_ANCHORED_BYTES} bytes"),
            "take anchors out that no alias needs",
        ),
        _ => (format!("the file has more than {MAX_NODES} values"), "split the job"),
    }
}

/// The parser's message without the place, which the diagnostic tells in its own way.
fn message_of(error: &Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line ").or_else(|| text.find('\n')).unwrap_or(text.len());
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
