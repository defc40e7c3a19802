//! What is wrong with a single line of a YAML text by itself: the value behind its key or dash.

use super::lines::Line;
use super::mistake::Mistake;

/// How many lines around the parser's place are looked at.
const AROUND: usize = 6;

/// The first line around line `here` that no parser can read.
pub(super) fn value(all: &[Line<'_>], here: usize) -> Option<Mistake> {
    let from = here.saturating_sub(AROUND);
    let near = all.get(from..(here + AROUND + 1).min(all.len())).unwrap_or_default();
    let block = |line: &&Line<'_>| !line.content().starts_with('#');
    near.iter()
        .filter(block)
        .find_map(|line| dash(*line).or_else(|| list_behind_key(*line)).or_else(|| behind_bracket(*line)))
}

/// A dash without a blank behind it.
fn dash(line: Line<'_>) -> Option<Mistake> {
    let rest = line.content().strip_prefix('-')?;
    let is_text = rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '\'' | '"' | '{' | '['));
    let help = format!("write `- {rest}`");
    is_text.then(|| {
        Mistake::new(line.start(), 1, "there is no blank behind the `-` of this entry", help).understood()
    })
}

/// A list that begins on the line of its key.
fn list_behind_key(line: Line<'_>) -> Option<Mistake> {
    let colon = line.colon()?;
    let value = line.text.get(colon + 1..)?;
    let at = line.offset + colon + 1 + (value.len() - value.trim_start().len());
    let help = "begin it on the next line, or write `[a, b]`";
    let begins = value.trim_start().starts_with("- ");
    begins.then(|| Mistake::new(at, 1, "a list cannot begin behind its key", help))
}

/// Text behind a bracket that ends the value.
fn behind_bracket(line: Line<'_>) -> Option<Mistake> {
    let start = line.colon().map_or(line.depth(), |colon| colon + 1);
    let value = line.text.get(start..)?;
    let start = start + (value.len() - value.trim_start().len());
    let value = value.trim_start();
    let end = closing(value)?;
    let rest = value.get(end..)?;
    let text = rest.trim_start();
    if text.is_empty() || text.starts_with(['#', ',', ':', ']', '}']) {
        return None;
    }
    let at = line.offset + start + end + (rest.len() - text.len());
    let close = value.get(..end)?.chars().next_back()?;
    let help = "put the whole value in quotes if it is text";
    Some(Mistake::new(at, text.len(), format!("text stands behind the `{close}` that ends the value"), help))
}

/// Where the brackets end with which `value` begins.
fn closing(value: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    if !value.starts_with(['[', '{']) {
        return None;
    }
    for (index, c) in value.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(index + 1);
        }
    }
    None
}
