//! Other indents for lines of a YAML text: what its author may have meant.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::lines::{Line, lines};
use crate::diagnostic::Span;

/// Most lines of a text that is looked at.
const MAX_LINES: usize = 1500;
/// Most lines above and below a line whose columns it could have.
const MAX_LADDER: usize = 8;
/// How many lines around a place are tried.
const NEIGHBOURS: usize = 12;
/// How many lines around a line say which indents are usual.
const ALIKE: usize = 8;

/// Some lines of a text that follow each other, indented otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Where they begin, in order.
    starts: Vec<usize>,
    /// Indent of the first of them, and the one it gets.
    from: usize,
    to: usize,
    /// The lines of which they are part then, the nearest first.
    within: Vec<Span>,
    /// Whether they are part of a block of text then, or are an entry of a list.
    is_text: bool,
    is_item: bool,
    /// How many lines near them, and how many of the text, stand as deep below one that stands as deep as that.
    usage: (usize, usize),
    /// How many lines they are away from the place that was asked for.
    distance: usize,
}

impl Shift {
    /// What may have been meant near the places `near` of `text`, the nearest first, at most `most`.
    pub(crate) fn near(text: &str, near: &[usize], most: usize) -> Vec<Self> {
        let all = lines(text);
        if all.len() > MAX_LINES {
            return Vec::new();
        }
        let step = step(&all);
        let line_of = |place: &usize| all.iter().rposition(|line| line.offset <= *place).unwrap_or_default();
        let indexes: Vec<usize> = near.iter().map(line_of).flat_map(|index| around(&all, index)).collect();
        let levels: Vec<_> =
            (0..all.len()).map(|index| level(index, |index| Some(Columns::of(*all.get(index)?)))).collect();
        let mut ways = Vec::new();
        for (index, line) in all.iter().enumerate() {
            let away = indexes.iter().map(|other| index.abs_diff(*other)).min();
            let Some(distance) = away.filter(|distance| *distance <= NEIGHBOURS) else { continue };
            let candidate = Candidate { all: &all, levels: &levels, index, line: *line, distance, step };
            ways.extend(candidate.ways().into_iter().map(|way| (candidate, way)));
        }
        // More lines are worth a look when fewer of them mend nothing near by.
        ways.sort_by_key(|(candidate, way)| candidate.distance + 2 * way.extent as usize);
        ways.into_iter().take(most).map(|(candidate, way)| candidate.shift(way)).collect()
    }

    /// `text` with the lines where they may have been meant to be.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let mut shifted = String::with_capacity(text.len() + self.starts.len() * self.to);
        let mut done = 0;
        for start in &self.starts {
            shifted.push_str(text.get(done..*start)?);
            shifted.push_str(&" ".repeat(self.to.saturating_sub(self.from)));
            done = start + self.from.saturating_sub(self.to);
        }
        shifted.push_str(text.get(done..)?);
        Some(shifted)
    }

    /// The place in the text whose place in the shifted text is `span`.
    pub(crate) fn undo(&self, span: Span) -> Span {
        let offset = self.undo_offset(span.offset);
        Span { offset, len: self.undo_offset(span.offset + span.len).saturating_sub(offset) }
    }

    fn undo_offset(&self, place: usize) -> usize {
        let (more, less) = (self.to.saturating_sub(self.from), self.from.saturating_sub(self.to));
        let before = self.starts.iter().enumerate();
        let number =
            before.take_while(|(index, start)| **start + (index + 1) * more <= place + index * less).count();
        // A place within blanks that were put in is the beginning of their line.
        let within = self.starts.get(number).filter(|start| **start + number * more < place + number * less);
        within.copied().unwrap_or(place + number * less - number * more)
    }

    /// The first of the lines, without the blanks before it.
    pub(crate) fn first_line(&self) -> usize {
        self.starts.first().map_or(0, |start| start + self.from)
    }

    /// Whether `span` is on one of the lines of `text`.
    pub(crate) fn covers(&self, text: &str, span: Span) -> bool {
        let line = text.get(..span.offset).and_then(|before| before.rfind('\n')).map_or(0, |index| index + 1);
        self.starts.contains(&line)
    }

    /// The columns, from 1, where the first line begins and where it may have been meant to begin.
    pub(crate) const fn columns(&self) -> (usize, usize) {
        (self.from + 1, self.to + 1)
    }

    /// Number of lines.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Of two that mend as much, the one with the smaller rank is more likely what was meant.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        let by = self.from.abs_diff(self.to);
        (self.starts.len() > 1, Reverse(self.usage), self.distance, self.starts.len(), by)
    }

    /// The lines of which they are part then, the nearest first; none at the top level.
    pub(crate) fn within(&self) -> &[Span] {
        &self.within
    }

    /// Whether they are part of a block of text then.
    pub(crate) const fn is_text(&self) -> bool {
        self.is_text
    }

    /// Whether the first of them begins an entry of a list.
    pub(crate) const fn is_item(&self) -> bool {
        self.is_item
    }

    /// How many lines it is away from the place that was asked for.
    pub(crate) const fn distance(&self) -> usize {
        self.distance
    }
}

/// By how many columns a line of `all` mostly stands deeper than the one above it.
fn step(all: &[Line<'_>]) -> usize {
    let deeper = all.windows(2).filter_map(|pair| match pair {
        [above, below] => below.indent().checked_sub(above.indent()).filter(|step| *step > 0),
        _ => None,
    });
    let mut numbers = BTreeMap::new();
    deeper.for_each(|step| *numbers.entry(step).or_insert(0_usize) += 1);
    numbers.into_iter().max_by_key(|(step, number)| (*number, Reverse(*step))).map_or(2, |(step, _)| step)
}

/// The line of that index, and those above it that it is part of, each with the first line of its own level.
fn around<'a>(all: &'a [Line<'_>], index: usize) -> impl Iterator<Item = usize> + use<'a> {
    let enclosing = std::iter::successors(Some(index), |index| {
        let indent = all.get(*index)?.indent();
        all.get(..*index)?.iter().rposition(|line| line.indent() < indent)
    });
    enclosing.flat_map(|index| [index, index + 1])
}

/// Where a line and its keys begin.
#[derive(Clone, Copy)]
struct Columns {
    first: usize,
    keys: usize,
    is_item: bool,
}

impl Columns {
    fn of(line: Line<'_>) -> Self {
        Self { first: line.indent(), keys: line.depth(), is_item: line.is_item() }
    }
}

/// How deep a line stands.
#[derive(Clone, Copy, Debug)]
struct Level {
    indent: usize,
    /// The line that it is part of, and the column of that one's keys.
    parent: Option<(usize, usize)>,
}

impl PartialEq for Level {
    fn eq(&self, other: &Self) -> bool {
        let depth = |level: &Self| level.parent.map(|(_, depth)| depth);
        self.indent == other.indent && depth(self) == depth(other)
    }
}

/// The level of the line of that index; `columns` gives those of a line. An entry of a list may stand in the column of the
/// key that it belongs to.
fn level(index: usize, columns: impl Fn(usize) -> Option<Columns>) -> Level {
    let (indent, is_item) = columns(index).map_or((0, false), |columns| (columns.first, columns.is_item));
    let parent = (0..index).rev().find_map(|other| {
        let above = columns(other)?;
        let is_less = |column: usize, is_key: bool| column < indent || is_item && is_key && column == indent;
        let keys = (above.keys, true);
        let first = (above.first, !above.is_item);
        [keys, first]
            .into_iter()
            .find(|(column, is_key)| is_less(*column, *is_key))
            .map(|(column, _)| (other, column))
    });
    Level { indent, parent }
}

/// How many of the lines from one on are moved with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    One,
    /// With all below it.
    Below,
    /// With those beside it, or a few of those below it.
    Others,
}

/// A number of lines and the column where the first of them is to begin.
#[derive(Clone, Copy)]
struct Way {
    to: usize,
    number: usize,
    extent: Extent,
}

/// A line, and what may have been meant with it.
#[derive(Clone, Copy)]
struct Candidate<'a, 't> {
    all: &'a [Line<'t>],
    /// Of each line, its own column and that of the line that it is part of.
    levels: &'a [Level],
    index: usize,
    line: Line<'t>,
    distance: usize,
    step: usize,
}

impl Candidate<'_, '_> {
    /// It alone, with all below it, or with those beside it, in other columns.
    fn ways(&self) -> Vec<Way> {
        let from = self.line.indent();
        let beside = self.number(|other| other.indent() >= from);
        let below = self.number(|other| self.is_below(other));
        let mut ways = Vec::new();
        for to in self.targets() {
            // What stands as deep as the line is to stand is beside it then, and stays.
            let fewer = self.number(|other| self.is_below(other) && other.indent() != to);
            let mut extents = vec![(Extent::One, 1), (Extent::Below, below), (Extent::Others, fewer)];
            extents.extend([2, 3, beside].map(|number| (Extent::Others, number)));
            extents.retain(|(extent, number)| {
                *extent == Extent::One || (2..=beside.max(below)).contains(number)
            });
            extents.sort_by_key(|(extent, number)| (*number, *extent));
            extents.dedup_by_key(|(_, number)| *number);
            ways.extend(extents.into_iter().map(|(extent, number)| Way { to, number, extent }));
        }
        ways
    }

    fn above(&self) -> impl Iterator<Item = &Line<'_>> {
        self.all.get(..self.index).unwrap_or_default().iter().rev()
    }

    fn below(&self) -> impl Iterator<Item = &Line<'_>> {
        self.all.get(self.index + 1..).unwrap_or_default().iter()
    }

    /// Number of the lines from this one on that belong to it.
    fn number(&self, belongs: impl Fn(&Line<'_>) -> bool) -> usize {
        1 + self.below().take_while(|other| belongs(other)).count()
    }

    /// Whether a line further down is part of this one. Entries of a list may stand as deep as its key.
    fn is_below(&self, other: &Line<'_>) -> bool {
        let from = self.line.indent();
        other.indent() > from || other.indent() == from && other.is_item() && !self.line.is_item()
    }

    /// The indents with which it would be part of a line above it, or stand beside one around it.
    fn targets(&self) -> Vec<usize> {
        let mut targets = Vec::new();
        let mut least = usize::MAX;
        for other in self.above() {
            if targets.len() >= 3 * MAX_LADDER {
                break;
            }
            if other.indent() < least {
                least = other.indent();
                targets.extend([other.indent(), other.depth(), other.depth() + self.step]);
            }
        }
        // The keys of an entry stand below the first of them.
        let dash = self.line.depth() - self.line.indent();
        let mut least = usize::MAX;
        for other in self.below().take(2 * NEIGHBOURS) {
            if other.indent() < least {
                least = other.indent();
                targets.extend([other.indent(), other.indent().saturating_sub(dash)]);
            }
        }
        targets.sort_unstable();
        targets.dedup();
        targets.retain(|to| *to != self.line.indent());
        targets
    }

    fn shift(&self, Way { to, number, .. }: Way) -> Shift {
        let moved = self.index..self.index + number;
        let columns = |index: usize| {
            let line = self.all.get(index)?;
            let Columns { first, keys, is_item } = Columns::of(*line);
            let by = |column: usize| match moved.contains(&index) {
                true => (column + to).saturating_sub(self.line.indent()),
                false => column,
            };
            Some(Columns { first: by(first), keys: by(keys), is_item })
        };
        let own = level(self.index, columns);
        let near = self.index.saturating_sub(ALIKE)..self.all.len().min(self.index + ALIKE + 1);
        let is_alike = |index: usize| index != self.index && level(index, columns) == own;
        let parent = |level: Level| level.parent.map(|(index, _)| index);
        let within =
            std::iter::successors(parent(own), |index| self.levels.get(*index).copied().and_then(parent));
        let line = |index: usize| self.all.get(index).copied();
        let within: Vec<Line<'_>> = within.filter_map(line).collect();
        Shift {
            starts: self.all.iter().skip(self.index).take(number).map(|line| line.offset).collect(),
            from: self.line.indent(),
            to,
            is_text: within.iter().any(|line| line.begins_block()),
            is_item: self.line.is_item(),
            within: within.iter().map(|line| Span { offset: line.offset, len: line.text.len() }).collect(),
            usage: (
                near.filter(|index| is_alike(*index)).count(),
                self.levels.iter().filter(|level| **level == own).count(),
            ),
            distance: self.distance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a:\n  b: 1\n c:\n   d: 2\n";

    fn shift(lines: usize, to: usize) -> Shift {
        Shift::near(TEXT, &[11], 100)
            .into_iter()
            .find(|shift| shift.columns() == (2, to + 1) && shift.len() == lines)
            .unwrap()
    }

    #[test]
    fn lines_get_another_indent_and_places_are_found_again() {
        for (lines, to, expected) in [
            (1, 2, "a:\n  b: 1\n  c:\n   d: 2\n"),
            (2, 2, "a:\n  b: 1\n  c:\n    d: 2\n"),
            (2, 0, "a:\n  b: 1\nc:\n  d: 2\n"),
        ] {
            let shift = shift(lines, to);
            let shifted = shift.apply(TEXT).unwrap();
            assert_eq!(shifted, expected);
            for word in ["a:", "b: 1", "c:", "d: 2"] {
                let place = |text: &str| Span { offset: text.find(word).unwrap(), len: word.len() };
                assert_eq!(shift.undo(place(&shifted)), place(TEXT), "{word} in {shifted:?}");
            }
        }
    }

    #[test]
    fn a_place_within_new_blanks_is_the_beginning_of_the_line() {
        let shift = shift(2, 3);
        let shifted = shift.apply(TEXT).unwrap();
        let line = shifted.find("   c:").unwrap();
        assert_eq!(shift.undo(Span { offset: line + 1, len: 0 }).offset, TEXT.find(" c:").unwrap());
    }
}
