//! What is open at a place of a YAML text: quotes and brackets.
//!
//! This is no parser: it looks at the text only after the parser has refused it, to find where a mistake began.

use std::ops::Range;

/// What is open at a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// Brackets, outermost first: places of `[` and `{`.
    pub(super) brackets: Vec<usize>,
    /// The quoted text that begins before the place and goes over the end of a line, if it is the last one.
    pub(super) long_quote: Option<Range<usize>>,
}

impl Open {
    /// What is open at byte `end` of `text`.
    pub(super) fn at(text: &str, end: usize) -> Self {
        let mut scan = Scan { text, place: 0, open: Self::default(), at_start: true };
        while scan.place < end.min(text.len()) {
            scan.step();
        }
        scan.open
    }
}

struct Scan<'t> {
    text: &'t str,
    place: usize,
    open: Open,
    /// Whether a value or key can begin here: only there are quotes and brackets more than characters.
    at_start: bool,
}

impl Scan<'_> {
    fn step(&mut self) {
        let rest = self.text.get(self.place..).unwrap_or_default();
        let Some(c) = rest.chars().next() else { return self.place += 1 };
        let in_brackets = !self.open.brackets.is_empty();
        let blank_before = self
            .text
            .get(..self.place)
            .is_none_or(|before| before.is_empty() || before.ends_with(|c: char| c.is_ascii_whitespace()));
        match c {
            '\n' => self.at_start = true,
            ' ' | '\t' | '\r' => {}
            '#' if blank_before => return self.place += rest.find('\n').unwrap_or(rest.len()),
            '\'' | '"' if self.at_start => return self.quoted(rest, c),
            '[' | '{' if self.at_start || in_brackets => self.open.brackets.push(self.place),
            ']' | '}' if in_brackets => {
                self.open.brackets.pop();
                self.at_start = false;
            }
            ',' if in_brackets => self.at_start = true,
            '|' | '>' if self.at_start && !in_brackets => return self.block(rest),
            ':' | '-' | '?' if is_indicator(rest) => self.at_start = true,
            _ => self.at_start = false,
        }
        self.place += c.len_utf8();
    }

    /// A quoted text, to its end or that of the file.
    fn quoted(&mut self, rest: &str, quote: char) {
        let mut chars = rest.char_indices().skip(1).peekable();
        let mut len = rest.len();
        while let Some((index, c)) = chars.next() {
            if c == '\\' && quote == '"' {
                chars.next();
            } else if c == quote {
                if quote == '\'' && chars.next_if(|(_, next)| *next == quote).is_some() {
                    continue;
                }
                len = index + 1;
                break;
            }
        }
        let is_long = rest.get(..len).is_some_and(|quoted| quoted.contains('\n'));
        self.open.long_quote = is_long.then(|| self.place..self.place + len);
        self.place += len;
        self.at_start = false;
    }

    /// A block of text: all lines that are indented deeper than that of its `|` or `>`.
    fn block(&mut self, rest: &str) {
        let before = self.text.get(..self.place).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let indent = indent(line);
        let mut lines = rest.split_inclusive('\n');
        self.place += lines.next().map_or(0, str::len);
        for line in lines.take_while(|line| line.trim().is_empty() || self::indent(line) > indent) {
            self.place += line.len();
        }
        self.at_start = true;
    }
}

/// Whether `:`, `-` or `?` stands for itself: before a blank or the end of the line.
fn is_indicator(rest: &str) -> bool {
    rest.chars().nth(1).is_none_or(|next| next.is_ascii_whitespace())
}

/// Number of blanks that a line begins with.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::Open;

    fn brackets(text: &str) -> Vec<usize> {
        Open::at(text, text.len()).brackets
    }

    #[test]
    fn brackets_are_those_where_a_value_can_begin() {
        assert_eq!(brackets("a: {b: [c"), [3, 7]);
        assert!(brackets("a: {b: [c]}").is_empty());
        assert!(brackets("a: x[1\nb: 'x{'\n# {\nc: y # {\n").is_empty());
        assert_eq!(brackets("- [\n"), [2]);
        assert_eq!(brackets("- {a: 'it''s', b: \"\\\"}\""), [2]);
    }

    #[test]
    fn blocks_of_text_have_no_brackets() {
        assert_eq!(brackets("a: |\n  [x\n\n  {\nb: [c\n"), [18]);
        assert_eq!(brackets("- >-\n  [x\n- {"), [12]);
    }

    #[test]
    fn a_quote_that_goes_over_lines_is_told() {
        assert_eq!(Open::at("a: 'b\nc: 'd'\n", 9).long_quote, Some(3..10));
        assert_eq!(Open::at("a: 'b'\nc: 'd'\n", 13).long_quote, None);
        assert_eq!(Open::at("a: \"b", 5).long_quote, None);
    }
}
