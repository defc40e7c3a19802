//! The keys of one mapping: which were asked for, and which nobody knows.

use std::cell::RefCell;

use super::node::{Node, Value};
use super::reader::Reader;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

/// The keys of one mapping. Asking for a key makes it known.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// What the mapping is called in messages, such as `deploy`.
    pub(crate) what: String,
    /// Where the mapping is.
    pub(crate) span: Span,
    entries: Vec<(&'n str, Span, &'n Node)>,
    known: RefCell<Vec<&'static str>>,
}

impl<'n> Fields<'n> {
    /// The value of `key`; an empty value counts as none.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'n Node> {
        self.get_or_null(key).filter(|node| node.value != Value::Null)
    }

    /// The value of `key`, even if it is empty.
    pub(crate) fn get_or_null(&self, key: &'static str) -> Option<&'n Node> {
        self.known.borrow_mut().push(key);
        self.entries.iter().find(|(name, ..)| *name == key).map(|&(.., node)| node)
    }

    /// The value of `key`; its absence is noted as a problem.
    pub(crate) fn require(&self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        let node = self.get(key);
        if node.is_none() {
            let message = format!("`{}` needs `{key}`", self.what);
            let near = self.unknown().find_map(|(name, ..)| did_you_mean(name, [key]).map(|_| name));
            if near.is_none() {
                reader.report(Diagnostic::error("missing-key", self.span, message));
            }
        }
        node
    }

    /// Where `key` is written.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|&(_, span, _)| span)
    }

    /// Makes `keys` known: they are accepted and have no effect.
    pub(crate) fn accept(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Accepts `keys` with a warning that they have no effect.
    pub(crate) fn ignore(&self, reader: &mut Reader<'_>, keys: &[&'static str]) {
        self.accept(keys);
        for key in keys {
            if let Some(span) = self.key_span(key) {
                let message = format!("`{key}` of `{}` has no effect here", self.what);
                reader.report(Diagnostic::warning("ignored-key", span, message));
            }
        }
    }

    /// Refuses `keys` by name: LAVA knows them, this program does not do them.
    pub(crate) fn refuse(&self, reader: &mut Reader<'_>, keys: &[&'static str]) {
        self.accept(keys);
        for key in keys {
            if let Some(span) = self.key_span(key) {
                let message = format!("`{key}` of `{}` is not supported", self.what);
                reader.report(Diagnostic::error("unsupported-key", span, message));
            }
        }
    }

    /// All entries that were not asked for by name.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        self.unknown().map(|(key, _, node)| (key, node))
    }

    /// Notes every key that nobody asked for as an error.
    pub(crate) fn finish(&self, reader: &mut Reader<'_>) {
        for (key, span, _) in self.unknown() {
            let message = format!("`{}` has no key `{key}`", self.what);
            let help = did_you_mean(key, self.known.borrow().iter().copied());
            reader.report(Diagnostic::error("unknown-key", span, message).with_optional_help(help));
        }
    }

    /// Notes every key that nobody asked for as a warning.
    pub(crate) fn finish_leniently(&self, reader: &mut Reader<'_>) {
        for (key, span, _) in self.unknown() {
            let message = format!("`{key}` of `{}` is not known and has no effect", self.what);
            let help = did_you_mean(key, self.known.borrow().iter().copied());
            reader.report(Diagnostic::warning("unknown-key", span, message).with_optional_help(help));
        }
    }

    fn unknown(&self) -> impl Iterator<Item = (&'n str, Span, &'n Node)> {
        let known = self.known.borrow().clone();
        self.entries.clone().into_iter().filter(move |(name, ..)| !known.contains(name))
    }
}

impl Reader<'_> {
    /// The keys of `node`, which must be a mapping. Of equal keys the last wins, as in PyYAML, with a warning.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        let Value::Mapping(mapping) = &node.value else {
            let problem = self.wrong_type(node, what, "a mapping");
            self.report(problem);
            return None;
        };
        let mut entries: Vec<(&str, Span, &Node)> = Vec::new();
        for (key, value) in mapping {
            let entry = (key.name.as_str(), key.span, value);
            if let Some(earlier) = entries.iter_mut().find(|(name, ..)| *name == key.name) {
                let message = format!("`{}` is written twice in `{what}`; the last counts", key.name);
                let problem = Diagnostic::warning("duplicate-key", key.span, message);
                self.report(problem.with_label(earlier.1, "first here"));
                *earlier = entry;
            } else {
                entries.push(entry);
            }
        }
        Some(Fields { what: what.to_owned(), span: node.span, entries, known: RefCell::default() })
    }
}
