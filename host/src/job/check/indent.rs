//! A line that is not indented as it was meant: found by what would be right if it were.
//!
//! A parser tells where it cannot go on, and the checks tell of keys that stand where they are not known. Both are often
//! the consequence of one line that begins in a wrong column. So the lines near the problems are tried in other columns.
//! What takes problems away and brings no new ones is what was meant, if the line is looked at where it would stand.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::document::Shift;

/// Largest text for which columns are tried, in bytes.
const MAX_BYTES: usize = 32 * 1024;
/// Most columns that are tried for a file, and most lines that are read for it in all.
const MAX_TRIES: usize = 400;
const MAX_READ: usize = 80_000;
/// Most places of problems that are looked around at.
const MAX_LOOKED_AT: usize = 8;
/// How far behind the nearest line that mends everything others are tried, in lines.
const FURTHER: usize = 10;
/// How near to a line a problem must be to be taken for its consequence, in lines.
const NEAR: usize = 12;
/// Keys below which any names can stand, or nothing is looked at.
const ANY_NAMES: [&str; 11] = [
    "environment",
    "parameters",
    "params",
    "metadata",
    "secrets",
    "message",
    "context",
    "notify",
    "device",
    "worker",
    "visibility",
];

/// What was found.
struct Mended {
    shift: Shift,
    /// The problems that are left, with their places in the text as it stands.
    left: Vec<Diagnostic>,
    gone: Vec<Diagnostic>,
}

/// How a text is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoroughness {
    /// As far as its structure goes: regular expressions are taken as they are.
    Structure,
    Whole,
}

/// `problems` of the text of `source`, with those that come from one wrong indent as one. `check` tells the problems of
/// another text.
pub(super) fn explain(
    source: &Source,
    problems: Vec<Diagnostic>,
    check: impl Fn(&Source, Thoroughness) -> Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let is_small = source.text.len() <= MAX_BYTES;
    let best =
        is_small.then(|| best(source, &problems, |text| check(text, Thoroughness::Structure))).flatten();
    let Some(Mended { shift, gone, .. }) = best else { return problems };
    let Some(left) = shifted(source, &shift, |text| check(text, Thoroughness::Whole)) else {
        return problems;
    };
    Mended { shift, left, gone }.problems(source)
}

/// The change that leaves fewest problems.
fn best(
    source: &Source,
    problems: &[Diagnostic],
    check: impl Fn(&Source) -> Vec<Diagnostic>,
) -> Option<Mended> {
    let hints = || problems.iter().filter(|problem| is_hint(problem));
    let first = hints().filter_map(|hint| hint.labels.first());
    let places: Vec<usize> = first
        .chain(hints().flat_map(|hint| hint.labels.iter().skip(1)))
        .map(|label| label.span.offset)
        .take(MAX_LOOKED_AT)
        .collect();
    if places.is_empty() {
        return None;
    }
    let tries = MAX_TRIES.min(MAX_READ / source.text.lines().count().max(1));
    let mut best: Option<Mended> = None;
    for shift in Shift::near(&source.text, &places, tries) {
        if let Some(best) = &best
            && best.left.is_empty()
            && shift.distance() > best.shift.distance() + FURTHER
        {
            break;
        }
        let Some(mended) = mend(source, problems, shift, &check) else { continue };
        let rank = |mended: &Mended| (mended.left.len(), mended.shift.rank());
        if best.as_ref().is_none_or(|best| rank(&mended) < rank(best)) {
            best = Some(mended);
        }
    }
    best
}

/// Whether a problem can be the consequence of a wrong indent.
fn is_hint(problem: &Diagnostic) -> bool {
    match problem.code {
        Code::WrongIndent
        | Code::DuplicateKey
        | Code::MissingKey
        | Code::EmptyValue
        | Code::NotAnAction
        | Code::WrongType
        | Code::YamlSyntax
        | Code::UnknownKey
        | Code::IgnoredTimeout => !problem.is_understood,
        _ => false,
    }
}

/// Whether a problem can go away with a wrong indent: what is not supported, and a word that is none of those that are
/// possible, are wrong wherever they stand.
fn is_consequence(problem: &Diagnostic) -> bool {
    let stays = matches!(
        problem.code,
        Code::UnknownAction | Code::UnknownBoot | Code::UnknownDeploy | Code::UnknownValue
    );
    !stays && !problem.code.name().starts_with("unsupported-")
}

/// Whether the file cannot be read for it.
fn is_unreadable(problem: &Diagnostic) -> bool {
    matches!(problem.code, Code::YamlSyntax | Code::WrongIndent)
}

/// Whether `span` begins on `line`.
fn is_on(line: Span, span: Span) -> bool {
    (line.offset..line.offset + line.len).contains(&span.offset)
}

/// Whether `shift` moves lines to where nobody looks at them: below what has a problem itself, into a text, or among names
/// that may be any.
fn moves_aside(source: &Source, problems: &[Diagnostic], shift: &Shift) -> bool {
    let is_wrong = |problem: &Diagnostic| {
        matches!(problem.code, Code::UnknownKey | Code::UnknownAction | Code::DuplicateKey)
    };
    let below_wrong = shift.within().first().is_some_and(|parent| {
        problems.iter().any(|problem| is_wrong(problem) && is_on(*parent, problem.span()))
    });
    let takes_any = |line: &Span| {
        let text = source.text.get(line.offset..line.offset + line.len).unwrap_or_default();
        ANY_NAMES.contains(&text.trim_start_matches([' ', '-']).split(':').next().unwrap_or_default())
            // It lacks what is to be below it.
            && !problems.iter().any(|problem| problem.code == Code::EmptyValue && is_on(*line, problem.span()))
    };
    // Where nothing can be read, there is no telling what is looked at.
    let was_read = !problems.iter().any(is_unreadable);
    shift.is_text() || below_wrong || was_read && (shift.is_item() || shift.within().iter().any(takes_any))
}

/// The problems of the text with `shift`, with their places in the text as it stands.
fn shifted(
    source: &Source,
    shift: &Shift,
    check: impl Fn(&Source) -> Vec<Diagnostic>,
) -> Option<Vec<Diagnostic>> {
    let mut problems = check(&Source::new(source.name.clone(), shift.apply(&source.text)?));
    for label in problems.iter_mut().flat_map(|problem| &mut problem.labels) {
        label.span = shift.undo(label.span);
    }
    Some(problems)
}

/// What `shift` takes away of `problems`; `None` if that is nothing, or if it brings others.
fn mend(
    source: &Source,
    problems: &[Diagnostic],
    shift: Shift,
    check: impl Fn(&Source) -> Vec<Diagnostic>,
) -> Option<Mended> {
    if moves_aside(source, problems, &shift) {
        return None;
    }
    let left = shifted(source, &shift, check)?;
    let known: HashSet<_> = problems.iter().map(|problem| (problem.code, &problem.message)).collect();
    let kept: HashSet<_> = left.iter().map(|problem| (problem.code, &problem.message)).collect();
    // Regular expressions were not looked at.
    let is_gone = |problem: &&Diagnostic| {
        problem.code != Code::InvalidRegex && !kept.contains(&(problem.code, &problem.message))
    };
    let gone: Vec<Diagnostic> = problems.iter().filter(is_gone).cloned().collect();
    let was_read = !problems.iter().any(is_unreadable);
    let line = |offset: usize| source.line_column(Span { offset, len: 0 }).0;
    let here = line(shift.first_line());
    let is_new = |problem: &Diagnostic| match was_read {
        // Where something is still amiss near by, it is not known whether this was it.
        true => {
            !known.contains(&(problem.code, &problem.message))
                || is_hint(problem) && line(problem.span().offset).abs_diff(here) <= NEAR
        }
        false => is_unreadable(problem) || is_hint(problem) || shift.covers(&source.text, problem.span()),
    };
    (gone.iter().any(|problem| shows(source, problem, &shift))
        && gone.iter().all(is_consequence)
        && !left.iter().any(is_new))
    .then_some(Mended { shift, left, gone })
}

/// Whether the end of `problem` shows that `shift` is what was meant.
fn shows(source: &Source, problem: &Diagnostic, shift: &Shift) -> bool {
    let line = |span: Span| source.line_column(span).0;
    match problem.code {
        // A key without a value takes whatever is put below it.
        Code::EmptyValue => !shift.within().first().is_some_and(|parent| is_on(*parent, problem.span())),
        // A line that was copied stands near the other.
        Code::DuplicateKey => match problem.labels.as_slice() {
            [here, first, ..] => line(here.span).abs_diff(line(first.span)) > 3,
            _ => false,
        },
        _ => is_hint(problem),
    }
}

impl Mended {
    /// The wrong indent and what is left.
    fn problems(self, source: &Source) -> Vec<Diagnostic> {
        let offset = self.shift.first_line();
        let rest = source.text.get(offset..).unwrap_or_default();
        let len = rest.find([':', ' ', '\n']).unwrap_or(rest.len()).max(1);
        let (from, to) = self.shift.columns();
        let lines = match self.shift.len() {
            1 => "this line begins".to_owned(),
            2 => "this line and the one below it begin".to_owned(),
            number => format!("this line and the {} below it begin", number - 1),
        };
        let side = if from > to { "right" } else { "left" };
        let message = format!("{lines} too far to the {side}");
        let help = format!("it was meant to begin in column {to}, it seems, and not in column {from}");
        let span = Span { offset, len };
        let problem = match self.gone.iter().any(Diagnostic::is_error) {
            true => Diagnostic::error(Code::WrongIndent, span, message),
            false => Diagnostic::warning(Code::WrongIndent, span, message),
        };
        let mut problems = self.left;
        problems.push(problem.with_help(help));
        problems.sort_by_key(|problem| (problem.span().offset, Reverse(problem.is_error())));
        problems
    }
}
