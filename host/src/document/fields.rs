//! The keys of one mapping: which were asked for, and which nobody knows.

use std::cell::RefCell;

use super::node::{Node, Value};
use super::reader::Reader;
use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};

/// The keys of one mapping. Asking for a key makes it known.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// What the mapping is called in messages, such as `deploy`.
    pub(crate) what: String,
    /// Where the mapping is.
    pub(crate) span: Span,
    entries: Vec<(&'n str, Span, &'n Node)>,
    known: RefCell<Vec<&'n str>>,
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

    /// The value of `key`; its absence is noted as a problem. Where the key is misspelt, that is the problem, and the
    /// value is taken all the same, so that the rest of the file is checked as it was meant.
    pub(crate) fn require(&self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        let node = self.get_misspelt(reader, key);
        if node.is_none() {
            let problem = match self.key_span(key) {
                Some(span) => Diagnostic::error(
                    Code::EmptyValue,
                    span,
                    format!("`{key}` of `{}` has no value", self.what),
                ),
                None => {
                    Diagnostic::error(Code::MissingKey, self.span, format!("`{}` needs `{key}`", self.what))
                }
            };
            reader.report(problem);
        }
        node
    }

    /// The value of `key`, or of one that looks like it and is noted as misspelt: of the keys that were not asked for yet.
    pub(crate) fn get_misspelt(&self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        if let Some(node) = self.get(key) {
            return Some(node);
        }
        let near = |(name, span, node)| did_you_mean(name, [key]).map(|help| (name, span, node, help));
        let (name, span, node, help) = self.unknown().find_map(near)?;
        let message = format!("`{}` has no key `{name}`", self.what);
        reader.report(Diagnostic::error(Code::UnknownKey, span, message).with_help(help));
        // It is told once.
        self.known.borrow_mut().push(name);
        Some(node).filter(|node| node.value != Value::Null)
    }

    /// Notes that none of `keys` is there, or which of them was misspelt; `help` says what they are for.
    pub(crate) fn require_one_of(&self, reader: &mut Reader<'_>, keys: &[&'static str], help: &str) {
        self.accept(keys);
        let mut near = self
            .unknown()
            .filter_map(|(name, span, _)| Some((name, span, did_you_mean(name, keys.iter().copied())?)));
        if let Some((name, span, help)) = near.next() {
            let message = format!("`{}` has no key `{name}`", self.what);
            reader.report(Diagnostic::error(Code::UnknownKey, span, message).with_help(help));
            return;
        }
        let names: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
        let message = format!("`{}` needs one of {}", self.what, names.join(", "));
        reader.report(Diagnostic::error(Code::MissingKey, self.span, message).with_help(help));
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
                reader.report(Diagnostic::warning(Code::IgnoredKey, span, message));
            }
        }
    }

    /// Refuses `keys` by name: LAVA knows them, this program does not do them.
    pub(crate) fn refuse(&self, reader: &mut Reader<'_>, keys: &[&'static str]) {
        self.accept(keys);
        for key in keys {
            if let Some(span) = self.key_span(key) {
                let message = format!("`{key}` of `{}` is not supported", self.what);
                reader.report(Diagnostic::error(Code::UnsupportedKey, span, message));
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
            reader.report(Diagnostic::error(Code::UnknownKey, span, message).with_optional_help(help));
        }
    }

    /// Notes every key that nobody asked for: as an error if it is near one that is known, else as a warning.
    pub(crate) fn finish_near(&self, reader: &mut Reader<'_>) {
        for (key, span, _) in self.unknown() {
            let problem = match did_you_mean(key, self.known.borrow().iter().copied()) {
                Some(help) => {
                    let message = format!("`{}` has no key `{key}`", self.what);
                    Diagnostic::error(Code::UnknownKey, span, message).with_help(help)
                }
                None => {
                    let message = format!("`{key}` of `{}` is not known and has no effect", self.what);
                    Diagnostic::warning(Code::UnknownKey, span, message)
                }
            };
            reader.report(problem);
        }
    }

    /// Notes every key that nobody asked for as a warning.
    pub(crate) fn finish_leniently(&self, reader: &mut Reader<'_>) {
        for (key, span, _) in self.unknown() {
            let message = format!("`{key}` of `{}` is not known and has no effect", self.what);
            let help = did_you_mean(key, self.known.borrow().iter().copied());
            reader.report(Diagnostic::warning(Code::UnknownKey, span, message).with_optional_help(help));
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
                let problem = Diagnostic::warning(Code::DuplicateKey, key.span, message);
                self.report(problem.with_label(earlier.1, "first here"));
                *earlier = entry;
            } else {
                entries.push(entry);
            }
        }
        Some(Fields { what: what.to_owned(), span: node.span, entries, known: RefCell::default() })
    }
}
