//! Reads single values, and collects what is wrong with them.

use regex::RegexBuilder;

use super::node::{Node, Value, ends_with_block_header};
use super::python_pattern::from_python;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, MAX_PROBLEMS, Source, Span, meant, nearest};

/// Most regular expressions of a file.
const MAX_REGEXES: usize = 1000;

/// Most memory that one may take, in bytes.
const MAX_REGEX_BYTES: usize = 1024 * 1024;

/// Whether `name` may be part of the name of a file: not empty, of letters, digits, `-`, `_` and `.`, and not hidden.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

/// Whether a shell can have a variable of that name.
pub(crate) fn is_variable_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads values of one file and collects the problems.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// The file.
    pub(crate) source: &'a Source,
    /// The first [`MAX_PROBLEMS`].
    problems: Vec<Diagnostic>,
    errors: usize,
    /// Number of regular expressions so far.
    regexes: usize,
    /// Whether regular expressions are taken as they are.
    skips_regexes: bool,
    /// Where a key belongs that stands where it is not known, as a help text.
    place_of: fn(&str) -> Option<String>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(source: &'a Source) -> Self {
        Self { source, problems: Vec::new(), errors: 0, regexes: 0, skips_regexes: false, place_of: |_| None }
    }

    /// Tells where a key belongs that is not known where it stands.
    pub(crate) fn with_places(self, place_of: fn(&str) -> Option<String>) -> Self {
        Self { place_of, ..self }
    }

    /// Takes regular expressions as they are.
    pub(crate) fn without_regexes(self) -> Self {
        Self { skips_regexes: true, ..self }
    }

    /// Where `key` belongs, as a help text, if that is known.
    pub(super) fn place_of(&self, key: &str) -> Option<String> {
        (self.place_of)(key)
    }

    /// Notes a problem.
    pub(crate) fn report(&mut self, problem: Diagnostic) {
        self.errors += usize::from(problem.is_error());
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else if let Some(warning) = self.problems.iter_mut().rev().find(|_| problem.is_error())
            && !warning.is_error()
        {
            // At least one error is told if there is one.
            *warning = problem;
        }
    }

    /// Ends the reading: `value` and the warnings, unless there are errors or no value.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Diagnostic>), Diagnostics> {
        self.problems.sort_by_key(|problem| (problem.span().offset, problem.severity));
        self.problems.dedup();
        let failed = self.errors > 0;
        debug_assert!(failed || value.is_some(), "nothing says why {} cannot be used", self.source.name);
        match value {
            Some(value) if !failed => Ok((value, self.problems)),
            _ => Err(Diagnostics { source: self.source.clone(), problems: self.problems }),
        }
    }

    /// Number of errors so far; warnings are not among them.
    pub(crate) const fn error_count(&self) -> usize {
        self.errors
    }

    /// `file:line:column` of `span`.
    pub(crate) fn place(&self, span: Span) -> String {
        self.source.place(span)
    }

    /// Notes that `node` is not the `expected` kind of value.
    pub(crate) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) -> Diagnostic {
        let message = format!("`{what}` must be {expected}, not {}", node.value.kind());
        let problem = Diagnostic::error(Code::WrongType, node.span, message);
        match node.value {
            // Where there should be keys, it lacks a colon.
            Value::Text(_) => problem.understood(),
            _ => problem,
        }
    }

    /// Text, or a number or truth value as it is written.
    pub(crate) fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.text(self.source).map(str::to_owned);
        self.check_folding(node, what);
        if text.is_none() {
            let problem = self.wrong_type(node, what, "text");
            self.report(problem.with_optional_help(self.placeholder_in_quotes(node)));
        }
        text
    }

    /// What to write for `{NAME}` without quotes, which is a mapping to YAML.
    fn placeholder_in_quotes(&self, node: &Node) -> Option<String> {
        let Value::Mapping(mapping) = &node.value else { return None };
        let [(key, value)] = mapping.as_slice() else { return None };
        let written = self.source.text.get(node.span.offset..).unwrap_or_default();
        (value.value == Value::Null && written.starts_with('{'))
            .then(|| format!("put it in quotes: `'{{{}}}'`", key.name))
    }

    /// Notes a line that looks like an entry of a list and is part of the text above it, as it is indented deeper.
    fn check_folding(&mut self, node: &Node, what: &str) {
        let (Value::Text(_), Span { offset, len }) = (&node.value, node.span) else { return };
        let written = self.source.text.get(offset..offset + len).unwrap_or_default();
        let before = self.source.text.get(..offset).unwrap_or_default();
        if !written.contains('\n') || written.starts_with(['"', '\'']) || ends_with_block_header(before) {
            return;
        }
        let Some(entry) = written.match_indices('\n').find_map(|(index, _)| {
            let line = written.get(index + 1..)?;
            let rest = line.trim_start_matches(' ');
            rest.starts_with("- ").then_some(index + 1 + line.len() - rest.len())
        }) else {
            return;
        };
        let span = Span { offset: offset + entry, len: 1 };
        let message = format!("this line is part of the text above it in `{what}`, and no entry of its own");
        let problem =
            Diagnostic::warning(Code::SurprisingValue, span, message).with_label(node.span, "the text");
        self.report(problem.with_help("indent it as much as the entry above, or put the text in quotes"));
    }

    /// Checks the name of `what`: names of boards, roles and definitions become parts of names of files.
    pub(crate) fn check_name(&mut self, name: &str, span: Span, what: &str) -> bool {
        let valid = is_name(name);
        if !valid {
            let message = format!("`{name}` cannot be the name of a {what}");
            let help = "use letters, digits, `-`, `_` and `.`; begin with another character than `.`";
            self.report(Diagnostic::error(Code::InvalidName, span, message).with_help(help));
        }
        valid
    }

    /// Text. What is none without quotes is refused, as by LAVA: who writes `yes` or `1.10` for a name may not know what
    /// others read in it.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.string(node, what)?;
        if !matches!(node.value, Value::Text(_)) {
            let problem = self.wrong_type(node, what, "text");
            self.report(problem.with_help(format!("put it in quotes if it is meant so: `'{text}'`")));
            return None;
        }
        Some(text)
    }

    /// Text that is not empty, as [`Self::text`].
    pub(crate) fn non_empty(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        if text.trim().is_empty() {
            self.report(Diagnostic::error(Code::EmptyValue, node.span, format!("`{what}` is empty")));
            return None;
        }
        Some(text)
    }

    /// A truth value.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        let problem = self.wrong_type(node, what, "`true` or `false`");
        self.report(problem);
        None
    }

    /// Notes a whole number that is another one than it seems: in YAML 1.1 `010` is octal, and `1:30` is ninety.
    pub(crate) fn check_reading(&mut self, node: &Node, what: &str) {
        let (Value::Integer(value), Some(written)) = (&node.value, node.text(self.source)) else { return };
        let digits = written.trim_start_matches(['+', '-']);
        let is_octal = matches!(digits.as_bytes(), [b'0', b'0'..=b'9' | b'_', ..]);
        if is_octal || digits.contains(':') {
            let message = format!("`{written}` of `{what}` is read as {value}");
            let help =
                "in YAML a number that begins with `0` is octal, and `1:30` is 1 × 60 + 30; write it without";
            self.report(Diagnostic::warning(Code::SurprisingValue, node.span, message).with_help(help));
        }
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn integer(&mut self, node: &Node, what: &str, min: u32, max: u32) -> Option<u32> {
        let Value::Integer(value) = node.value else {
            let problem = self.wrong_type(node, what, "a whole number");
            self.report(problem);
            return None;
        };
        self.check_reading(node, what);
        match u32::try_from(value) {
            Ok(value) if (min..=max).contains(&value) => Some(value),
            _ => {
                let message = format!("`{what}` must be from {min} to {max}, not {value}");
                self.report(Diagnostic::error(Code::OutOfRange, node.span, message));
                None
            }
        }
    }

    /// A list of values, each read by `read`; a single value counts as a list of one.
    pub(crate) fn list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        match &node.value {
            Value::Sequence(items) => items.iter().filter_map(|item| read(self, item)).collect(),
            _ => read(self, node).into_iter().collect(),
        }
    }

    /// A list of texts, or a single one.
    pub(crate) fn strings(&mut self, node: &Node, what: &str) -> Vec<String> {
        self.list(node, |reader, item| reader.string(item, what))
    }

    /// A mapping of names to texts, in the file's order; the last of equal names wins.
    pub(crate) fn pairs(&mut self, node: &Node, what: &str) -> Vec<(String, String)> {
        let Some(fields) = self.fields(node, what) else { return Vec::new() };
        let mut pairs = Vec::new();
        for (key, value) in fields.rest() {
            // An empty value is an empty text: `DEBUG:` sets a variable to nothing.
            let value = match value.value {
                Value::Null => Some(String::new()),
                _ => self.string(value, key),
            };
            pairs.extend(value.map(|value| (key.to_owned(), value)));
        }
        pairs
    }

    /// Shell variables: names that a shell accepts, with their values.
    pub(crate) fn variables(&mut self, node: &Node, what: &str) -> Vec<(String, String)> {
        let Some(fields) = self.fields(node, what) else { return Vec::new() };
        let mut variables = Vec::new();
        for (name, value) in self.pairs(node, what) {
            if is_variable_name(&name) {
                variables.push((name, value));
            } else {
                let span = fields.key_span(&name).unwrap_or(fields.span);
                let message = format!("`{name}` cannot be the name of a shell variable");
                self.report(Diagnostic::error(Code::InvalidName, span, message));
            }
        }
        variables
    }

    /// One of the `choices`, by name.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let all = match names.as_slice() {
            [only] => format!("it can only be {only}"),
            _ => format!("it is one of {}", names.join(", ")),
        };
        self.choice_of(node, what, choices, &all)
    }

    /// As [`Self::choice`]; `all` says what else is possible.
    pub(crate) fn choice_of<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        choices: &[(&str, T)],
        all: &str,
    ) -> Option<T> {
        let text = self.string(node, what)?;
        if let Some(&(_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(value);
        }
        let message = format!("`{what}` cannot be `{text}`");
        let near = nearest(&text, choices.iter().map(|(name, _)| *name));
        self.report(Diagnostic::error(Code::UnknownValue, node.span, message).with_help(meant(near, all)));
        None
    }

    /// As [`Self::regex`], but for an empty text, which matches anything.
    pub(crate) fn regex_or_empty(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) if text.is_empty() => Some(String::new()),
            _ => self.regex(node, what),
        }
    }

    /// A regular expression that compiles, as text. It is read as Python's, in which job files are written.
    pub(crate) fn regex(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = from_python(&self.non_empty(node, what)?);
        if self.skips_regexes {
            return Some(text);
        }
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            if self.regexes == MAX_REGEXES + 1 {
                let message = format!("the file has more than {MAX_REGEXES} regular expressions");
                self.report(Diagnostic::error(Code::OutOfRange, node.span, message));
            }
            return None;
        }
        let Err(error) = RegexBuilder::new(&text).size_limit(MAX_REGEX_BYTES).build() else {
            return Some(text);
        };
        let (message, help) = regex_problem(&error, &text);
        let message = format!("`{what}` is not a regular expression{message}");
        self.report(Diagnostic::error(Code::InvalidRegex, node.span, message).with_help(help));
        None
    }
}

/// What is wrong with a regular expression, and what to write.
fn regex_problem(error: &regex::Error, text: &str) -> (String, &'static str) {
    if let regex::Error::CompiledTooBig(_) = error {
        let message = format!(" that can be used: it takes more than {MAX_REGEX_BYTES} bytes of memory");
        return (message, "repeat less, as in `x+` for `x{1,5000}`");
    }
    const LACKING: [(&[&str], &str); 3] = [
        (&["(?=", "(?!", "(?<=", "(?<!"], "it looks ahead or behind with `(?=`, `(?!`, `(?<=` or `(?<!`"),
        (&["(?P=", "\\1", "\\2"], "it refers back to what one of its groups has found"),
        (&["(?#"], "it has a comment, `(?#`"),
    ];
    let has = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    if let Some((_, what)) = LACKING.into_iter().find(|(marks, _)| has(marks)) {
        return (format!(" that is supported: {what}"), "write a pattern that matches the text itself");
    }
    let reason = error.to_string();
    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
    (format!(": {reason}"), "escape characters that have a meaning in regular expressions with `\\`")
}
