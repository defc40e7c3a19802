//! The keys of one mapping: which were asked for, and which nobody knows.

use std::cell::RefCell;

use super::node::{Node, Value};
use super::reader::Reader;
use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean, nearest};

/// Most keys of one mapping.
const MAX_KEYS: usize = 1000;

/// The keys of one mapping. Asking for a key makes it known.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// What the mapping is called in messages, such as `deploy`.
    pub(crate) what: String,
    /// Where the mapping is.
    pub(crate) span: Span,
    entries: Vec<(&'n str, Span, &'n Node)>,
    known: RefCell<Vec<&'n str>>,
    /// Keys that may well be empty, or were told of.
    nullable: RefCell<Vec<&'n str>>,
}

impl<'n> Fields<'n> {
    /// The value of `key`; an empty value counts as none, of which [`Self::finish`] tells.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'n Node> {
        self.known.borrow_mut().push(key);
        self.node(key).filter(|node| node.value != Value::Null)
    }

    /// The value of `key`, which may be empty.
    pub(crate) fn get_or_null(&self, key: &'static str) -> Option<&'n Node> {
        self.accept(&[key]);
        self.nullable.borrow_mut().push(key);
        self.node(key)
    }

    fn node(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|&(.., node)| node)
    }

    /// Whether `key` is there, with a value or without.
    pub(crate) fn is_written(&self, key: &'static str) -> bool {
        self.key_span(key).is_some()
    }

    /// The value of `key`; its absence is noted as a problem. Where the key is misspelt, that is the problem, and the
    /// value is taken all the same, so that the rest of the file is checked as it was meant.
    pub(crate) fn require(&self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        let node = self.get_misspelt(reader, key);
        if node.is_none() {
            self.nullable.borrow_mut().push(key);
            let problem = match self.key_span(key) {
                Some(span) => Diagnostic::error(Code::EmptyValue, span, self.no_value(key)),
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
        reader.report(self.no_key(name, span, Some(help)));
        // It is told once.
        self.know(name);
        Some(node).filter(|node| node.value != Value::Null)
    }

    /// The one of `keys` that is misspelt, which [`Self::require`] and [`Self::get_misspelt`] tell. Notes if there is none:
    /// `help` says what the keys are for.
    pub(crate) fn require_one_of(
        &self,
        reader: &mut Reader<'_>,
        keys: &[&'static str],
        help: &str,
    ) -> Option<&'static str> {
        self.accept(keys);
        let near = |(name, ..): (&str, Span, &Node)| nearest(name, keys.iter().copied());
        if let Some(key) = self.unknown().find_map(near) {
            return Some(key);
        }
        if let Some((key, span)) = keys.iter().find_map(|key| Some((*key, self.key_span(key)?))) {
            self.nullable.borrow_mut().push(key);
            reader.report(Diagnostic::error(Code::EmptyValue, span, self.no_value(key)));
            return Some(key);
        }
        let names: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
        let message = format!("`{}` needs one of {}", self.what, names.join(", "));
        reader.report(Diagnostic::error(Code::MissingKey, self.span, message).with_help(help));
        None
    }

    fn no_value(&self, key: &str) -> String {
        format!("`{key}` of `{}` has no value", self.what)
    }

    fn no_key(&self, key: &str, span: Span, help: Option<String>) -> Diagnostic {
        let message = format!("`{}` has no key `{key}`", self.what);
        Diagnostic::error(Code::UnknownKey, span, message).with_meaning(help)
    }

    fn no_effect(&self, key: &str, span: Span) -> Diagnostic {
        let message = format!("`{key}` of `{}` is not known and has no effect", self.what);
        Diagnostic::warning(Code::UnknownKey, span, message)
    }

    /// Where `key` is written.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|&(_, span, _)| span)
    }

    /// Makes `keys` known: they are accepted and have no effect.
    pub(crate) fn accept(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Makes `key`, of those that were not asked for, known.
    pub(crate) fn know(&self, key: &'n str) {
        self.known.borrow_mut().push(key);
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
    pub(crate) fn refuse(&self, reader: &mut Reader<'_>, keys: &[&'static str], help: &str) {
        self.accept(keys);
        for key in keys {
            if let Some(span) = self.key_span(key) {
                let message = format!("`{key}` of `{}` is not supported", self.what);
                reader.report(Diagnostic::error(Code::UnsupportedKey, span, message).with_help(help));
            }
        }
    }

    /// Notes `key`, if it is there, as one that is not known; `help` says what was meant.
    pub(crate) fn mistaken(&self, reader: &mut Reader<'_>, key: &'static str, help: &str) {
        if let Some(span) = self.key_span(key) {
            self.accept(&[key]);
            reader.report(self.no_key(key, span, Some(help.to_owned())));
        }
    }

    /// All entries that were not asked for by name.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        self.unknown().map(|(key, _, node)| (key, node))
    }

    /// Notes every key that nobody asked for as an error. With it, and with the others like it, keys that were asked for and
    /// have no value are noted.
    pub(crate) fn finish(&self, reader: &mut Reader<'_>) {
        self.finish_with(reader, |key, span, near| self.no_key(key, span, near));
    }

    /// Notes every key that nobody asked for: as an error if it is near one that is known, else as a warning.
    pub(crate) fn finish_near(&self, reader: &mut Reader<'_>) {
        self.finish_with(reader, |key, span, near| match near {
            Some(_) => self.no_key(key, span, near),
            None => self.no_effect(key, span),
        });
    }

    /// Notes every key that nobody asked for as a warning.
    pub(crate) fn finish_leniently(&self, reader: &mut Reader<'_>) {
        self.finish_with(reader, |key, span, near| self.no_effect(key, span).with_meaning(near));
    }

    fn finish_with(
        &self,
        reader: &mut Reader<'_>,
        problem: impl Fn(&str, Span, Option<String>) -> Diagnostic,
    ) {
        for (key, span, _) in self.unknown() {
            let near = did_you_mean(key, self.known.borrow().iter().copied());
            let problem = problem(key, span, near);
            let help = problem.help.clone().or_else(|| reader.place_of(key));
            reader.report(problem.with_optional_help(help));
        }
        let (known, nullable) = (self.known.borrow(), self.nullable.borrow());
        for (key, span, node) in &self.entries {
            if node.value == Value::Null && known.contains(key) && !nullable.contains(key) {
                let message = format!("{}: it is as if it were not there", self.no_value(key));
                let problem = Diagnostic::warning(Code::EmptyValue, *span, message);
                reader.report(problem.with_help(format!("write its value, or leave `{key}` out")));
            }
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
            let help = colon_without_blank(node, what);
            self.report(problem.with_optional_help(help));
            return None;
        };
        if mapping.len() > MAX_KEYS {
            let message = format!("`{what}` has {} keys; {MAX_KEYS} are allowed", mapping.len());
            self.report(Diagnostic::error(Code::OutOfRange, node.span, message));
            return None;
        }
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
        Some(Fields {
            what: what.to_owned(),
            span: node.span,
            entries,
            known: RefCell::default(),
            nullable: RefCell::default(),
        })
    }
}

/// Longest value that advice repeats, in bytes; what is longer is hardly meant as one.
const LONGEST_VALUE: usize = 60;

/// What to write for text such as `minutes:15` where a mapping should be.
fn colon_without_blank(node: &Node, what: &str) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    let (key, value) = text.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    (is_key && value.len() <= LONGEST_VALUE && !value.contains('\n'))
        .then(|| format!("put a blank behind the colon: `{what}: {{ {key}: {value} }}`"))
}
