//! Syntax errors in words for people, at the place where the mistake is.
//!
//! A parser stops where it cannot go on, which is often a line behind the mistake. The text around that place says more:
//! a missing colon, a wrong indent, an open quote or bracket, a list entry among keys, a tab.

use super::lines::{Line, lines};
use super::open::Open;
use super::structure::structure;
use super::values::value;
use crate::diagnostic::Span;

/// What is wrong, where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) help: String,
    /// Another place that belongs to it, and what is there.
    pub(super) other: Option<(Span, &'static str)>,
    pub(super) kind: Kind,
}

/// What is known of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line is not indented as it was meant.
    Indent,
    /// What was meant is clear from the place itself.
    Understood,
    /// Something else may be the reason.
    Unclear,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl Mistake {
    pub(super) fn new(
        offset: usize,
        len: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            span: Span { offset, len },
            message: message.into(),
            help: help.into(),
            other: None,
            kind: Kind::Unclear,
        }
    }

    pub(super) fn with_other(self, offset: usize, text: &'static str) -> Self {
        Self { other: Some((Span { offset, len: 1 }, text)), ..self }
    }

    /// It is a wrong indent, as far as can be seen.
    pub(super) fn of_indent(self) -> Self {
        Self { kind: Kind::Indent, ..self }
    }

    /// What was meant is clear from the place itself.
    pub(super) fn understood(self) -> Self {
        Self { kind: Kind::Understood, ..self }
    }

    /// The mistake for which the parser stopped at byte `place` of `text` and said `reason`; `None` if it cannot be told.
    pub(super) fn find(text: &str, place: usize, reason: &str) -> Option<Self> {
        let open = Open::at(text, place);
        let all = lines(text);
        let index = all.iter().rposition(|line| line.offset <= place).unwrap_or(0);
        // Behind the end of a line the parser means what comes next.
        let here = match all.get(index) {
            Some(line) if line.offset + line.text.len() < place => {
                all.get(index + 1).map_or(index, |_| index + 1)
            }
            _ => index,
        };
        tab(&all, index, reason)
            .or_else(|| odd_blank(&all, here))
            .or_else(|| character(text, place, reason))
            .or_else(|| quote(text, place, &open, reason))
            .or_else(|| value(&all, here))
            .or_else(|| bracket(text, place, &open, reason))
            .or_else(|| structure(&all, here, place, reason))
    }
}

/// A tab where the line begins.
fn tab(all: &[Line<'_>], index: usize, reason: &str) -> Option<Mistake> {
    if !reason.contains("tab") {
        return None;
    }
    let line = all
        .iter()
        .skip(index)
        .take(2)
        .find(|line| line.text.get(line.indent()..).is_some_and(|rest| rest.starts_with('\t')))?;
    let help = "indent with blanks only";
    Some(Mistake::new(line.start(), 1, "a tab cannot indent a line", help))
}

/// A character that looks like a blank, or like nothing, and is text to YAML: where a line begins, behind the dash of an
/// entry, or behind the colon of a key.
fn odd_blank(all: &[Line<'_>], here: usize) -> Option<Mistake> {
    let near = all.get(here.saturating_sub(1)..=here)?;
    near.iter().rev().find_map(|line| {
        let index = odd_indent(line.text).or_else(|| odd_separator(line.text))?;
        let c = line.text.get(index..)?.chars().next()?;
        // A byte order mark may begin a file.
        (line.offset + index > 0 || c != BYTE_ORDER_MARK).then(|| {
            let message = format!("this is the character U+{:04X}, which is no blank to YAML", u32::from(c));
            let help = "write a plain blank, or nothing, in its place";
            Mistake::new(line.offset + index, c.len_utf8(), message, help).understood()
        })
    })
}

/// Where the first odd blank is that a line begins with.
fn odd_indent(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start_matches(' ').len();
    line.get(start..).filter(|rest| rest.starts_with(is_odd_blank)).map(|_| start)
}

/// Where an odd blank is behind the dash of an entry or the colon of a key.
fn odd_separator(line: &str) -> Option<usize> {
    let mut start = line.len() - line.trim_start_matches(' ').len();
    loop {
        let rest = line.get(start..)?;
        let name = rest.len()
            - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_.".contains(c)).len();
        let name = if name == 0 { 0 } else { rest.find(':').filter(|colon| is_name(rest, *colon))? };
        let behind = rest.get(name + 1..)?;
        match rest.get(name..)?.chars().next()? {
            '-' | ':' if behind.starts_with(is_odd_blank) => return Some(start + name + 1),
            // The first key of an entry.
            '-' if behind.starts_with(' ') => {
                start += 1 + behind.len() - behind.trim_start_matches(' ').len()
            }
            _ => return None,
        }
    }
}

/// Whether a key such as `job_name` ends at `colon`.
fn is_name(text: &str, colon: usize) -> bool {
    text.get(..colon).is_some_and(|key| key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)))
}

/// Whether word processors and web pages put it in the place of a blank.
fn is_odd_blank(c: char) -> bool {
    !c.is_ascii() && c.is_whitespace() || matches!(c, '\u{200b}' | BYTE_ORDER_MARK)
}

/// A character that cannot stand where it is.
fn character(text: &str, place: usize, reason: &str) -> Option<Mistake> {
    let rest = text.get(place..)?;
    let c = rest.chars().next()?;
    let quotes = "put the value in single quotes if it is text";
    if reason.contains("escape") || reason.contains("hexadecimal") {
        let escape =
            rest.find('\\').filter(|index| !rest.get(..*index).is_some_and(|before| before.contains('\n')));
        let (offset, len) = escape.map_or((place, 1), |index| (place + index, 2));
        let help = "write the value in single quotes, where `\\` is nothing but itself";
        return Some(
            Mistake::new(offset, len, "this `\\` and what follows mean nothing in double quotes", help)
                .understood(),
        );
    }
    if reason.contains("unknown anchor") {
        let len = rest.find([' ', '\n', '\r', ',', ']', '}']).unwrap_or(rest.len());
        let name = rest.get(1..len).unwrap_or_default();
        let message = format!("`*{name}` refers to `&{name}`, which is not in the file above it");
        return Some(Mistake::new(place, len, message, quotes));
    }
    if reason.contains("anchor") {
        return Some(Mistake::new(place, 1, format!("`{c}` needs a name behind it"), quotes));
    }
    if reason.contains("unexpected character") {
        let (message, help) = match c {
            '`' => ("a value cannot begin with a backquote".to_owned(), quotes),
            c if c.is_control() => {
                (format!("the character U+{:04X} cannot be in a file", u32::from(c)), "take it out")
            }
            c => (format!("a value cannot begin with `{c}`"), quotes),
        };
        return Some(Mistake::new(place, c.len_utf8(), message, help));
    }
    None
}

/// A quote that is not closed, or not where it should be.
fn quote(text: &str, place: usize, open: &Open, reason: &str) -> Option<Mistake> {
    let unclosed = |offset: usize| {
        let quote = text.get(offset..).and_then(|rest| rest.chars().next()).unwrap_or('\'');
        Mistake::new(
            offset,
            1,
            format!("this `{quote}` is not closed"),
            format!("write `{quote}` where the value ends"),
        )
        .understood()
    };
    if reason.contains("unclosed quote") {
        return Some(unclosed(place));
    }
    if let Some(quote) = &open.long_quote
        && quote.end + 2 > place
    {
        return Some(unclosed(quote.start));
    }
    if !reason.contains("trailing content") {
        return None;
    }
    if open.brackets.is_empty() {
        let help = "put the whole value in quotes; a quote within is written twice";
        return Some(Mistake::new(place, 1, "the value ends with its closing quote, and more follows", help));
    }
    Some(Mistake::new(place, 1, "a comma is missing before this", "separate entries with `, `"))
}

/// A bracket that is not closed, or closes nothing, or stands beside another without a comma.
fn bracket(text: &str, place: usize, open: &Open, reason: &str) -> Option<Mistake> {
    let found = text.get(place..).and_then(|rest| rest.chars().next());
    if reason.contains("unclosed") && matches!(found, Some('[' | '{')) {
        return unclosed(text, place);
    }
    let Some(&opener) = open.brackets.last() else {
        let found = found.filter(|_| reason.contains("bracket"))?;
        if matches!(found, '[' | '{') {
            return mismatch(text, place);
        }
        let message = format!("`{found}` closes nothing");
        return Some(Mistake::new(
            place,
            1,
            message,
            format!("take it out, or open `{}` before it", partner(found)),
        ));
    };
    if reason.contains("mismatch") {
        return mismatch(text, opener);
    }
    let bracket = text.get(opener..)?.chars().next()?;
    let line = text.get(opener..)?.lines().next().unwrap_or_default();
    let on_one_line = text.get(opener..place).is_some_and(|between| !between.contains('\n'));
    if on_one_line && line.contains(partner(bracket)) {
        let message = "a comma is missing before this";
        let start = word_before(text, place);
        return Some(Mistake::new(
            start,
            place.saturating_sub(start).max(1),
            message,
            "separate entries with `, `",
        ));
    }
    unclosed(text, opener)
}

/// A bracket that nothing closes.
fn unclosed(text: &str, opener: usize) -> Option<Mistake> {
    let bracket = text.get(opener..)?.chars().next()?;
    let close = partner(bracket);
    let message = format!("this `{bracket}` is not closed");
    Some(Mistake::new(opener, 1, message, format!("write `{close}` where it ends")).understood())
}

/// A bracket that another kind of bracket closes.
fn mismatch(text: &str, opener: usize) -> Option<Mistake> {
    let bracket = text.get(opener..)?.chars().next()?;
    let close = partner(bracket);
    Some(Mistake::new(
        opener,
        1,
        format!("this `{bracket}` is closed by another bracket"),
        format!("close it with `{close}`"),
    ))
}

fn partner(bracket: char) -> char {
    match bracket {
        '[' => ']',
        ']' => '[',
        '{' => '}',
        _ => '{',
    }
}

/// Where the word begins that `place` is behind.
fn word_before(text: &str, place: usize) -> usize {
    let before = text.get(..place).unwrap_or_default();
    before.trim_end().rfind([' ', ',', '{', '[']).map_or(place, |index| index + 1)
}
