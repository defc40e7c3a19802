//! Lines of a YAML text, as people see them: how deep they stand, and whether they are keys or entries of a list.

use super::open::indent;

/// A line that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// Where it begins in the text.
    pub(super) offset: usize,
    /// The line without its end.
    pub(super) text: &'t str,
}

impl<'t> Line<'t> {
    /// Number of blanks that it begins with.
    pub(super) fn indent(self) -> usize {
        indent(self.text)
    }

    /// Where its text begins.
    pub(super) fn start(self) -> usize {
        self.offset + self.indent()
    }

    /// Its text, without blanks around it.
    pub(super) fn content(self) -> &'t str {
        self.text.trim()
    }

    /// Whether it begins an entry of a list.
    pub(super) fn is_item(self) -> bool {
        self.content() == "-" || self.content().starts_with("- ")
    }

    /// How deep the keys stand that begin on it: behind the `- ` of an entry.
    pub(super) fn depth(self) -> usize {
        self.text.len() - self.text.trim_start_matches(['-', ' ']).len()
    }

    /// Whether it has a key, and where in the line its colon is.
    pub(super) fn colon(self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let quoted = self.text.get(self.depth()..)?.starts_with(['"', '\'', '[', '{', '#']);
        let ends = |index: usize| bytes.get(index + 1).is_none_or(u8::is_ascii_whitespace);
        let mut colons = self.text.match_indices(':').map(|(index, _)| index);
        if quoted { None } else { colons.find(|&index| ends(index)) }
    }

    /// Whether a block of text begins below it.
    pub(super) fn begins_block(self) -> bool {
        self.text
            .trim_end_matches(['-', '+', ' '])
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .ends_with(['|', '>'])
    }

    /// Whether a value stands behind its key.
    pub(super) fn has_value(self) -> bool {
        let value = self.colon().and_then(|colon| self.text.get(colon + 1..)).unwrap_or_default().trim();
        !value.is_empty() && !value.starts_with(['#', '|', '>', '&', '!'])
    }
}

/// The lines of `text` that say something: no comments, nothing empty.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut offset = 0;
    let mut lines = Vec::new();
    for text in text.split_inclusive('\n') {
        // What else looks like a blank is text to YAML.
        let is_blank = |c: char| c.is_ascii_whitespace();
        let content = text.trim_matches(is_blank);
        let says_nothing = content.is_empty() || content.starts_with('#') || matches!(content, "---" | "...");
        if !says_nothing {
            lines.push(Line { offset, text: text.trim_end_matches(is_blank) });
        }
        offset += text.len();
    }
    lines
}
