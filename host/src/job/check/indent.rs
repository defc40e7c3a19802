//! A line that is not indented as it was meant: found by what would be right if it were.
//!
//! A parser tells where it cannot go on, and the checks tell of keys that stand where they are not known. Both are often
//! the consequence of one line that begins in a wrong column. So the lines near the problems are tried in other columns.
//! What takes problems away and brings no new ones is what was meant.

use std::cmp::Reverse;

use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::document::Shift;

/// Most columns that are tried for a file.
const MAX_TRIES: usize = 400;
/// Largest text for which they are tried, in bytes.
const MAX_BYTES: usize = 32 * 1024;
/// Most places of problems that are looked around at.
const MAX_PLACES: usize = 8;
/// Keys below which names are the user's own.
const OWN_NAMES: [&str; 7] =
    ["environment", "parameters", "params", "metadata", "secrets", "message", "context"];
/// How far behind the nearest line that mends everything others are tried.
const FURTHER: usize = 10;

/// What was found.
struct Mended {
    shift: Shift,
    /// The problems that are left, with their places in the text as it stands.
    left: Vec<Diagnostic>,
    gone: Vec<Diagnostic>,
}

/// `problems` of the text of `source`, with those that come from one wrong indent as one. `check` tells the problems of
/// another text.
pub(super) fn explain(
    source: &Source,
    problems: Vec<Diagnostic>,
    check: impl Fn(&Source) -> Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let hints: Vec<&Diagnostic> = problems.iter().filter(|problem| is_hint(problem)).collect();
    if hints.is_empty() || source.text.len() > MAX_BYTES {
        return problems;
    }
    let places: Vec<usize> =
        hints.iter().flat_map(|hint| &hint.labels).map(|label| label.span.offset).collect();
    let places = places.get(..MAX_PLACES).unwrap_or(&places);
    let mut best: Option<Mended> = None;
    for shift in Shift::near(&source.text, places).into_iter().take(MAX_TRIES) {
        if let Some(best) = &best
            && best.left.is_empty()
            && shift.distance() > best.shift.distance() + FURTHER
        {
            break;
        }
        let Some(mended) = mend(source, &problems, shift, &check) else { continue };
        let rank = |mended: &Mended| (mended.left.len(), mended.shift.rank());
        if best.as_ref().is_none_or(|best| rank(&mended) < rank(best)) {
            best = Some(mended);
        }
    }
    match best {
        Some(mended) => mended.problems(source),
        None => problems,
    }
}

/// Whether a problem can be the consequence of a wrong indent.
fn is_hint(problem: &Diagnostic) -> bool {
    match problem.code {
        Code::WrongIndent | Code::DuplicateKey | Code::MissingKey | Code::EmptyValue | Code::NotAnAction => {
            true
        }
        // Text where there should be keys lacks a colon.
        Code::WrongType => !problem.message.ends_with("not text"),
        // Where it is known what to write, nothing else was meant.
        Code::YamlSyntax => !problem.help.as_ref().is_some_and(|help| help.starts_with("write ")),
        // A key that is near to a known one is misspelt.
        Code::UnknownKey | Code::IgnoredTimeout => {
            !problem.help.as_ref().is_some_and(|help| help.starts_with("did you mean"))
        }
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

/// Whether `shift` moves lines to where nobody looks at them: below what has a problem itself, or among names of the user's
/// own, unless that was asked for by a key that is not known where it is.
fn moves_aside(source: &Source, problems: &[Diagnostic], shift: &Shift) -> bool {
    let is_wrong = |problem: &Diagnostic| {
        matches!(problem.code, Code::UnknownKey | Code::UnknownAction | Code::DuplicateKey)
    };
    let below_wrong = shift.within().first().is_some_and(|parent| {
        problems.iter().any(|problem| is_wrong(problem) && is_on(*parent, problem.span()))
    });
    let is_own = |line: &Span| {
        let text = source.text.get(line.offset..line.offset + line.len).unwrap_or_default();
        OWN_NAMES.contains(&text.trim_start_matches([' ', '-']).split(':').next().unwrap_or_default())
    };
    let is_lost = |problem: &Diagnostic| {
        is_unreadable(problem)
            || problem.code == Code::UnknownKey && shift.covers(&source.text, problem.span())
    };
    below_wrong || shift.within().iter().any(is_own) && !problems.iter().any(is_lost)
}

/// Whether the file cannot be read for it.
fn is_unreadable(problem: &Diagnostic) -> bool {
    matches!(problem.code, Code::YamlSyntax | Code::WrongIndent)
}

/// Whether `span` begins on `line`.
fn is_on(line: Span, span: Span) -> bool {
    (line.offset..line.offset + line.len).contains(&span.offset)
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
    let shifted = Source::new(source.name.clone(), shift.apply(&source.text)?);
    let mut left = check(&shifted);
    for label in left.iter_mut().flat_map(|problem| &mut problem.labels) {
        label.span = shift.undo(label.span);
    }
    let is_left = |problem: &Diagnostic| {
        left.iter().any(|other| (other.code, &other.message) == (problem.code, &problem.message))
    };
    let gone: Vec<Diagnostic> = problems.iter().filter(|problem| !is_left(problem)).cloned().collect();
    let was_yaml = !problems.iter().any(is_unreadable);
    let is_new = |problem: &Diagnostic| {
        if was_yaml {
            problems.iter().all(|other| (other.code, &other.message) != (problem.code, &problem.message))
        } else {
            is_unreadable(problem) || is_hint(problem) || shift.covers(&source.text, problem.span())
        }
    };
    // A key without a value always takes what is put below it.
    let fills = |problem: &Diagnostic| {
        let parent = shift.within().first();
        problem.code == Code::EmptyValue && parent.is_some_and(|parent| is_on(*parent, problem.span()))
    };
    (gone.iter().any(|problem| is_hint(problem) && !fills(problem))
        && gone.iter().all(is_consequence)
        && !left.iter().any(is_new))
    .then_some(Mended { shift, left, gone })
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
        let is_error = self.gone.iter().any(Diagnostic::is_error);
        let problem = match is_error {
            true => Diagnostic::error(Code::WrongIndent, span, message),
            false => Diagnostic::warning(Code::WrongIndent, span, message),
        };
        let mut problems = self.left;
        problems.push(problem.with_help(help));
        problems.sort_by_key(|problem| (problem.span().offset, Reverse(problem.is_error())));
        problems
    }
}
