//! The language of a POSIX shell.

mod whole;

pub(crate) use whole::is_whole;

/// `text` in single quotes: one word, whatever is in it (XCU §2.2.2).
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
