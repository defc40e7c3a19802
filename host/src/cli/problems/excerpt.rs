//! The lines around a place, as they can be shown.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::diagnostic::{Source, Span};
use crate::text::steers;

/// Longest line that is shown whole, in bytes.
const MAX_LINE: usize = 400;

/// Most lines that one mark goes over.
const MAX_LINES: usize = 12;

/// Longest mark in a line that is cut, in bytes.
const MAX_MARK: usize = 80;

/// What is shown before and behind a mark in a line that is cut, in bytes.
const AROUND: usize = 60;

/// A file's text with as many bytes as it has, none of which steer a terminal.
#[derive(Debug)]
pub(super) struct Excerpts {
    name: String,
    text: String,
}

impl Excerpts {
    pub(super) fn new(source: &Source) -> Self {
        Self { name: super::shown(&source.name), text: without_steering(&source.text) }
    }

    /// The part of `span` that can be marked: its first line if it goes over many, and the beginning where the line is
    /// too long.
    pub(super) fn visible(&self, span: Span) -> Span {
        let start = self.boundary(span.offset);
        let mut end = self.boundary(span.offset.saturating_add(span.len)).max(start);
        if self.text.get(start..end).is_some_and(|text| text.lines().count() > MAX_LINES) {
            end = self.line_end(start);
        }
        if self.is_wide(start, end) {
            end = self.boundary(end.min(self.line_end(start)).min(start + MAX_MARK));
        }
        Span { offset: start, len: end - start }
    }

    /// Whether one of the lines from the one before `start` to the one behind `end` is too long to be shown whole.
    fn is_wide(&self, start: usize, end: usize) -> bool {
        let first = self.line_start(self.line_start(start).saturating_sub(1));
        let last = self.line_end((self.line_end(end) + 1).min(self.text.len()));
        self.text.get(first..last).is_some_and(|text| text.split('\n').any(|line| line.len() > MAX_LINE))
    }

    /// The nearest place up to `offset` where a character begins.
    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|place| self.text.is_char_boundary(*place)).unwrap_or_default()
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |index| index + 1)
    }

    fn line_end(&self, offset: usize) -> usize {
        let behind = self.text.get(offset..).unwrap_or_default();
        offset + behind.find('\n').unwrap_or(behind.len())
    }

    /// Number of characters in the line before `offset`.
    fn column(&self, offset: usize) -> usize {
        self.text.get(self.line_start(offset)..offset).unwrap_or_default().chars().count()
    }

    /// A part of one long line.
    fn window(&self, start: usize, end: usize) -> Result<MietteSpanContents<'_>, MietteError> {
        let marked = self.text.get(start..end).ok_or(MietteError::OutOfBounds)?;
        if marked.len() > 2 * AROUND + MAX_MARK || marked.contains('\n') {
            return Err(MietteError::OutOfBounds);
        }
        let from = self.boundary(start.saturating_sub(AROUND)).max(self.line_start(start));
        let to = self.boundary(end + AROUND).min(self.line_end(end));
        let data = self.text.as_bytes().get(from..to).ok_or(MietteError::OutOfBounds)?;
        let line = self.text.get(..from).unwrap_or_default().matches('\n').count();
        let span = SourceSpan::new(from.into(), data.len());
        Ok(MietteSpanContents::new_named(self.name.clone(), data, span, line, self.column(from), 1))
    }
}

impl SourceCode for Excerpts {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        if before > 0 && self.is_wide(start, end) {
            return Ok(Box::new(self.window(start, end)?));
        }
        let contents = self.text.as_bytes().read_span(span, before, after)?;
        let (data, span, line, lines) =
            (contents.data(), *contents.span(), contents.line(), contents.line_count());
        // Columns count characters, not bytes.
        let column = self.column(span.offset());
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, span, line, column, lines)))
    }
}

/// `text` with another character of the same length for each that would steer a terminal.
fn without_steering(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends_line = c == '\r' && chars.peek() == Some(&'\n');
        clean.push(match c.len_utf8() {
            _ if !steers(c) || c == '\t' || ends_line => c,
            1 => '?',
            2 => '¿',
            _ => char::REPLACEMENT_CHARACTER,
        });
    }
    clean
}

#[cfg(test)]
mod tests {
    use crate::cli::problems::render_problems;
    use crate::diagnostic::{Code, Diagnostic, Source, Span};

    fn shown(text: &str, spans: &[&str]) -> String {
        let source = Source::new("job.yaml", text);
        let span = |word: &&str| Span { offset: text.find(word).expect("the word"), len: word.len() };
        let first = span(&spans[0]);
        let mut problem = Diagnostic::error(Code::UnknownKey, first, "a\u{1b}[31m message".to_owned());
        for other in &spans[1..] {
            problem = problem.with_label(span(other), "another\u{202e}");
        }
        render_problems(&source, &[problem], false)
    }

    #[test]
    fn a_long_line_is_cut_around_what_is_marked() {
        let text = format!("first: 1\n{}here{}there\nlast: 1\n", "ä".repeat(70_000), "b".repeat(70_000));
        insta::assert_snapshot!(shown(&text, &["here", "there"]));
    }

    #[test]
    fn a_mark_over_many_lines_is_its_first_one() {
        let text = "key: 1\n".repeat(100);
        insta::assert_snapshot!(shown(&text, &[&text[7..]]));
    }

    #[test]
    fn nothing_of_a_file_steers_the_terminal_and_columns_count_characters() {
        insta::assert_snapshot!(shown("ä\u{1b}[2J\u{9b}\u{202e}\rx: wrong\r\n", &["wrong"]));
    }

    #[test]
    fn of_very_many_problems_the_first_are_shown() {
        let source = Source::new("job.yaml", "key: 1\n");
        let problem = Diagnostic::error(Code::UnknownKey, Span { offset: 0, len: 3 }, "wrong");
        let text = render_problems(&source, &vec![problem; 250], false);
        assert_eq!(text.matches("wrong").count(), 100);
        assert!(text.ends_with("… and 150 more\n"), "{text}");
    }
}
