//! What is wrong with how the lines of a YAML text follow each other: colons, indents, entries of lists.

use super::lines::Line;
use super::mistake::Mistake;

/// What is wrong with how lines follow each other.
pub(super) fn structure(all: &[Line<'_>], here: usize, place: usize, reason: &str) -> Option<Mistake> {
    let line = *all.get(here)?;
    let before = here.checked_sub(1).and_then(|index| all.get(index)).copied();
    if reason.contains("mapping values are not allowed")
        && let Some(colon) = line.colon()
        && line.offset + colon < place
    {
        let help = "put the value in quotes, or begin a mapping on the next line";
        return Some(Mistake::new(place, 1, "this is the second `: ` of one line", help));
    }
    if let Some(before) =
        before.filter(|before| reason.contains("not allowed") && line.indent() >= before.depth())
        && let Some(mistake) = missing_colon(before)
    {
        return Some(mistake);
    }
    if reason.contains("simple key expected")
        && let Some(mistake) = missing_colon(line)
    {
        return Some(mistake);
    }
    colonless(all, here)
        .or_else(|| among_others(all, here))
        .or_else(|| wrong_indent(all, here, before?).map(Mistake::of_indent))
}

/// A key whose colon is missing, or stands without a blank behind it.
fn missing_colon(line: Line<'_>) -> Option<Mistake> {
    if line.colon().is_some()
        || line.text.get(line.depth()..)?.starts_with(['"', '\'', '[', '{', '&', '*', '!'])
    {
        return None;
    }
    let content = line.text.get(line.depth()..)?;
    let offset = line.offset + line.depth();
    if let Some((key, value)) = content.split_once(':') {
        let help = format!("write `{key}: {value}`");
        return Some(
            Mistake::new(
                offset + key.len(),
                1,
                format!("there is no blank behind the colon of `{key}`"),
                help,
            )
            .understood(),
        );
    }
    let key = content.split_whitespace().next()?;
    let help = match content.split_once(char::is_whitespace) {
        Some((key, value)) => format!("write `{key}: {}`", value.trim_start()),
        None => format!("write `{key}:`"),
    };
    Some(Mistake::new(offset, key.len(), format!("there is no colon behind `{key}`"), help).understood())
}

/// A list entry among keys, or a key among list entries.
fn among_others(all: &[Line<'_>], here: usize) -> Option<Mistake> {
    let line = *all.get(here)?;
    let above = all.get(..here)?;
    // The lines above that stand as deep, up to one that stands less deep.
    let near = above.iter().rev().take_while(|other| other.indent() >= line.indent());
    let near: Vec<Line<'_>> = near.copied().filter(|other| other.indent() == line.indent()).collect();
    if !line.is_item() {
        return near.first().filter(|other| other.is_item()).map(|_| key_among_entries(line));
    }
    let key = near.iter().find(|other| !other.is_item()).copied();
    // Keys with entries above and below lack their dash.
    if let Some(key) = key.filter(|_| near.iter().any(|other| other.is_item())) {
        return Some(key_among_entries(key));
    }
    // Entries that begin less deep than the first one below their key.
    let first = key.filter(|key| !key.has_value()).and_then(|key| {
        let index = above.iter().position(|other| *other == key)?;
        above.get(index + 1).filter(|first| first.is_item() && first.indent() > line.indent())
    });
    if let Some(mistake) = first.and_then(|first| stray(all, line, *first, first.indent())) {
        return Some(mistake);
    }
    let levels = levels(above);
    if key.is_none() && levels.iter().all(|level| level.depth != line.indent()) {
        return None;
    }
    let mut help = "take out the `- `".to_owned();
    if let Some(level) = levels.iter().find(|level| level.depth < line.indent()) {
        help += &format!(", or begin it in column {} if it is an entry of a list there", level.depth + 1);
    }
    Some(Mistake::new(line.start(), 1, "a list entry among the keys of a mapping", help))
}

fn key_among_entries(key: Line<'_>) -> Mistake {
    let name = key.content();
    let len = name.find(':').unwrap_or(name.len()).max(1);
    let help = "begin an entry with `- `; indent the keys of one deeper";
    Mistake::new(key.start(), len, "a key among the entries of a list", help)
}

/// A depth at which a line could go on, and the lines above that stand there.
struct Level<'t> {
    depth: usize,
    /// The first of them.
    first: Line<'t>,
    /// The last of them.
    last: Line<'t>,
}

impl Level<'_> {
    /// Whether `line` could have been meant to stand beside its last line, which is complete.
    fn is_beside(&self, line: Line<'_>) -> bool {
        let is_item = self.last.is_item() && self.last.indent() == self.depth;
        is_item == line.is_item() && (is_item || self.last.has_value())
    }
}

/// The depths at which a line below `above` could go on, the deepest first.
fn levels<'t>(above: &[Line<'t>]) -> Vec<Level<'t>> {
    let mut levels: Vec<Level<'t>> = Vec::new();
    for line in above.iter().rev() {
        for depth in [line.depth(), line.indent()] {
            match levels.last_mut() {
                Some(level) if level.depth == depth => level.first = *line,
                Some(level) if level.depth < depth => {}
                _ => levels.push(Level { depth, first: *line, last: *line }),
            }
        }
    }
    levels
}

/// Of a line and one above it that should stand as deep, the one whose column is rarer in the file, if that is `other`.
fn stray(all: &[Line<'_>], line: Line<'_>, other: Line<'_>, depth: usize) -> Option<Mistake> {
    let number =
        |depth: usize| all.iter().filter(|line| line.depth() == depth || line.indent() == depth).count();
    if number(depth) >= number(line.indent()) {
        return None;
    }
    let column = (other.indent() + line.indent() + 1).saturating_sub(depth).max(1);
    let help = format!("begin it in column {column}, as those around it");
    Some(misplaced(other, help, line))
}

/// `line` does not stand as deep as `other`.
fn misplaced(line: Line<'_>, help: String, other: Line<'_>) -> Mistake {
    let message = "this line is not indented like those around it";
    Mistake::new(line.start(), word(line), message, help).with_other(other.start(), "such as this one")
}

/// Whether a key stands less deep than it should: below another that has nothing below it, or, with a value of its own,
/// between lines that stand at `depth`.
fn has_fallen(all: &[Line<'_>], line: Line<'_>, depth: usize) -> bool {
    let index = all.iter().position(|other| *other == line).and_then(|index| index.checked_sub(1));
    let Some(before) = index.and_then(|index| all.get(index)) else { return false };
    let is_between = before.depth() == depth && line.has_value();
    let is_empty = before.colon().is_some() && !before.has_value() && !before.begins_block();
    !line.is_item() && (is_between || is_empty && before.depth() == line.indent())
}

/// Length of the first word of a line.
fn word(line: Line<'_>) -> usize {
    line.content().find([':', ' ']).unwrap_or(line.content().len()).max(1)
}

/// A line that stands deeper or less deep than any line above allows: this one, or one above it from which it differs.
fn wrong_indent(all: &[Line<'_>], here: usize, before: Line<'_>) -> Option<Mistake> {
    let line = *all.get(here)?;
    let indent = line.indent();
    let levels = levels(all.get(..here)?);
    let is_below_value = indent > before.depth() && before.has_value();
    if !is_below_value && levels.iter().any(|level| level.depth == indent) {
        return None;
    }
    let fallen = levels.iter().find(|level| level.depth < indent).map(|level| level.last);
    if let Some(fallen) = fallen.filter(|fallen| has_fallen(all, *fallen, indent)) {
        let help = format!("begin it in column {}, as those around it", indent + 1);
        return Some(misplaced(fallen, help, line));
    }
    let deeper = levels.iter().rev().find(|level| level.depth > indent);
    let less_deep = levels.iter().find(|level| level.depth < indent && level.is_beside(line));
    let above = deeper.and_then(|level| stray(all, line, level.first, level.depth));
    let above = above.or_else(|| less_deep.and_then(|level| stray(all, line, level.last, level.depth)));
    if above.is_some() {
        return above;
    }
    if is_below_value {
        let help = format!("begin it in column {}", before.depth() + 1);
        let message = "this line is indented deeper than the key above, which has its value already";
        return Some(Mistake::new(line.start(), word(line), message, help));
    }
    let columns: Vec<_> = levels.iter().rev().map(|level| (level.depth + 1).to_string()).collect();
    let help = match columns.as_slice() {
        [others @ .., last] if !others.is_empty() => {
            format!("begin it in column {} or {last}, as lines above", others.join(", "))
        }
        _ => format!("begin it in column {}", columns.join("")),
    };
    Some(Mistake::new(line.start(), word(line), "the indent of this line fits no line above", help))
}

/// A line above without a colon, where what follows shows that it is a key.
fn colonless(all: &[Line<'_>], here: usize) -> Option<Mistake> {
    let from = here.saturating_sub(6);
    (from..here).rev().find_map(|index| {
        let line = *all.get(index)?;
        let above = all.get(..index)?;
        // The value of the key above, or text of a block.
        let parent = above.iter().rev().find(|other| other.depth() < line.depth());
        if parent.is_some_and(|parent| parent.begins_block()) {
            return None;
        }
        let next = *all.get(index + 1)?;
        let is_key =
            next.indent() == line.depth() && (next.colon().is_some() || next.is_item() && !line.is_item());
        let is_parent = next.indent() > line.depth();
        (is_key || is_parent).then(|| missing_colon(line)).flatten()
    })
}
