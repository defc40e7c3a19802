//! A document whose keys are taken one by one, so that those that nobody took can be told.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::diagnostic::{Source, Span};
use crate::document::{Node, Value};

/// The keys of one document.
pub(super) struct Keys<'n> {
    source: &'n Source,
    root: &'n Node,
    taken: RefCell<BTreeSet<Vec<String>>>,
}

/// One key and its value.
#[derive(Clone, Debug)]
pub(super) struct Item<'n> {
    /// The file.
    pub(super) source: &'n Source,
    /// The value.
    pub(super) node: &'n Node,
    /// Where the key is written, or the value of one that is part of a list.
    pub(super) span: Span,
    /// The keys that lead to it.
    path: Vec<String>,
}

impl<'n> Keys<'n> {
    /// The keys of `root`, which is the document of `source`.
    pub(super) const fn new(source: &'n Source, root: &'n Node) -> Self {
        Self { source, root, taken: RefCell::new(BTreeSet::new()) }
    }

    /// The whole document.
    pub(super) fn root(&self) -> Item<'n> {
        Item { source: self.source, node: self.root, span: self.root.span, path: Vec::new() }
    }

    /// Takes the value at `path`; an empty value counts as none, and is taken as well.
    pub(super) fn take(&self, path: &[&str]) -> Option<Item<'n>> {
        let item = self.look(path)?;
        self.mark(&item);
        (item.node.value != Value::Null).then_some(item)
    }

    /// The value at `path`, without taking it.
    pub(super) fn look(&self, path: &[&str]) -> Option<Item<'n>> {
        path.iter().try_fold(self.root(), |item, key| {
            // Of equal keys the last wins, as in PyYAML.
            item.entries().into_iter().rev().find(|entry| entry.key() == *key)
        })
    }

    /// Takes `item` with all that is in it.
    pub(super) fn mark(&self, item: &Item<'_>) {
        self.taken.borrow_mut().insert(item.path.clone());
    }

    /// The outermost values of which nothing was taken, in the file's order.
    pub(super) fn left(&self) -> Vec<Item<'n>> {
        let mut left = Vec::new();
        self.collect_left(self.root(), &mut left);
        left
    }

    fn collect_left(&self, item: Item<'n>, left: &mut Vec<Item<'n>>) {
        let taken = self.taken.borrow();
        if taken.contains(&item.path) {
            return;
        }
        // Paths are in order: those below an item follow it at once.
        let below = taken.range(item.path.clone()..).next().is_some_and(|path| path.starts_with(&item.path));
        drop(taken);
        if below || item.path.is_empty() {
            item.entries().into_iter().for_each(|entry| self.collect_left(entry, left));
        } else {
            left.push(item);
        }
    }
}

impl<'n> Item<'n> {
    /// The last of the keys that lead to it.
    pub(super) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The keys that lead to it.
    pub(super) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The keys that lead to it, joined by `.`.
    pub(super) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// Where it is from, for a comment: `line 12, commands.hard_reset`.
    pub(super) fn origin(&self) -> String {
        format!("line {}, {}", self.line(), self.dotted())
    }

    /// Its line, from 1.
    pub(super) fn line(&self) -> usize {
        self.source.line_column(self.span).0
    }

    /// What is in it, if it is a mapping or a list; the elements of a list have the keys `0`, `1`, ….
    pub(super) fn entries(&self) -> Vec<Self> {
        let child = |key: String, span, node| {
            let path = self.path.iter().cloned().chain([key]).collect();
            Self { source: self.source, node, span, path }
        };
        match &self.node.value {
            Value::Mapping(entries) => {
                entries.iter().map(|(key, node)| child(key.name.clone(), key.span, node)).collect()
            }
            Value::Sequence(nodes) => {
                let numbered = nodes.iter().enumerate();
                numbered.map(|(index, node)| child(index.to_string(), node.span, node)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The value at `key` of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let entry = self.entries().into_iter().rev().find(|entry| entry.key() == key)?;
        (entry.node.value != Value::Null).then_some(entry)
    }

    /// Its text; a number or a truth value as it is written.
    pub(super) fn text(&self) -> Option<String> {
        // The places of values that a template set are those of its tags: what is written there is something else.
        let written = self.node.text(self.source).map(str::to_owned);
        match &self.node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(value) => Some(
                written.filter(|text| integer(text) == Some(*value)).unwrap_or_else(|| value.to_string()),
            ),
            Value::Bool(value) => {
                Some(written.filter(|text| is_bool(text)).unwrap_or_else(|| value.to_string()))
            }
            Value::Other => written,
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// Its text, if it is one that is not empty.
    pub(super) fn non_empty(&self) -> Option<String> {
        self.text().filter(|text| !text.trim().is_empty())
    }

    /// Its texts, if it is a list of texts, or its one text.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        match &self.node.value {
            Value::Sequence(_) => self.entries().iter().map(Self::text).collect(),
            _ => self.text().map(|text| vec![text]),
        }
    }

    /// Whether it is true; texts such as `True` count, as templates write them.
    pub(super) fn is_true(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A whole number, also one that is written as text.
    pub(super) fn number(&self) -> Option<i128> {
        match &self.node.value {
            Value::Integer(value) => Some(*value),
            Value::Text(text) => integer(text),
            _ => None,
        }
    }
}

fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn is_bool(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::Keys;
    use crate::diagnostic::Source;
    use crate::document::parse_yaml;

    #[test]
    fn what_nobody_took_is_left_as_a_whole_or_in_part() {
        let source = Source::new("a.yaml", "a:\n  b: 1\n  c: {d: 2}\ne: [x]\nf:\ng: 0x10\n");
        let root = parse_yaml(&source).unwrap();
        let keys = Keys::new(&source, &root);
        assert_eq!(keys.take(&["a", "b"]).unwrap().number(), Some(1));
        assert!(keys.take(&["f"]).is_none());
        let address = keys.take(&["g"]).unwrap();
        assert_eq!((address.text().unwrap(), address.origin()), ("0x10".to_owned(), "line 6, g".to_owned()));
        let left: Vec<_> = keys.left().iter().map(super::Item::origin).collect();
        assert_eq!(left, ["line 3, a.c", "line 4, e"]);
    }
}
