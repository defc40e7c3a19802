//! YAML in flow style, a value a line: any reader of YAML 1.1 or 1.2 takes it.
//!
//! It is JSON with the two differences that matter to YAML 1.1: what is not printable ASCII is escaped, as a parser may
//! refuse it or fold it, and numbers with an exponent have a point and a sign, without which they would be texts.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// `value` as one line without a line break.
///
/// # Errors
/// When a key of a map is no text.
pub(super) fn to_line(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Flow))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

struct Flow;

impl Flow {
    fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }
}

impl Formatter for Flow {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let text = format!("{value:?}");
        let Some((digits, exponent)) = text.split_once('e') else {
            return writer.write_all(text.as_bytes());
        };
        let point = if digits.contains('.') { "" } else { ".0" };
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        write!(writer, "{digits}{point}e{sign}{exponent}")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        fragment.chars().try_for_each(|character| match (character, u32::from(character)) {
            (' '..='~', _) => write!(writer, "{character}"),
            (_, code @ 0..=0xFFFF) => write!(writer, "\\u{code:04x}"),
            (_, code) => write!(writer, "\\U{code:08x}"),
        })
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_printable_ascii_and_numbers_are_numbers_to_yaml_1_1() {
        let line = to_line(&serde_json::json!({
            "text": "a\"b\\c\n\t\u{1b}\u{7f}\u{85}\u{2028}é😀 #: - {x}",
            "list": [1, 0.5, 1e300, 1.5e-9, null, true],
        }));
        let expected = r#"{"list": [1, 0.5, 1.0e+300, 1.5e-9, null, true], "text": "a\"b\\c\n\t\u001b\u007f\u0085\u2028\u00e9\U0001f600 #: - {x}"}"#;
        assert_eq!(line.unwrap(), expected);
    }
}
