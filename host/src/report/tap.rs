//! `results.tap`: Test Anything Protocol, version 14. A subtest per node, within it a subtest per definition.
//!
//! A case that was skipped is `# SKIP`, and so is one whose result is unknown: it was run, and its success or failure is
//! left out of account, which is what the specification says of `SKIP`; `TODO` is for what is not expected to succeed.
//! A run that could not be done, was stopped or was cut off ends with `Bail out!`; one whose tests failed does not.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use crate::event::{Event, EventKind, Outcome, TestCase, TestResult};
use crate::fault::Fault;
use crate::report::results::{DefinitionResult, NodeResults, PhaseResult};
use crate::report::results_json::replace_file;
use crate::report::{Reporter, Results, yaml};
use crate::text::clip;

/// Columns that a subtest is indented by.
const INDENT: usize = 4;
/// Longest text of a diagnostic, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// Writes `results.tap` at the end of the run.
#[derive(Debug)]
pub struct Tap {
    path: PathBuf,
}

impl Tap {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn write(&self, results: &Results) -> io::Result<()> {
        replace_file(&self.path, render(results)?.as_bytes())
    }
}

impl Reporter for Tap {
    fn name(&self) -> &'static str {
        "results.tap"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        if matches!(event.kind, EventKind::RunFinished { .. }) { self.write(so_far) } else { Ok(()) }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.write(so_far)
    }
}

/// A test point.
struct Point<'a> {
    name: &'a str,
    passed: bool,
    /// Why it does not count.
    skip: Option<&'a str>,
    /// Keys and values of its diagnostics.
    diagnostics: Vec<(&'static str, Value)>,
}

impl<'a> Point<'a> {
    fn new(name: &'a str, outcome: Option<Outcome>) -> Self {
        Self { name, passed: outcome == Some(Outcome::Pass), skip: None, diagnostics: Vec::new() }
    }

    fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.diagnostics.push((key, value.into()));
        self
    }

    fn with_text(self, key: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.with(key, clip(text, MAX_TEXT)),
            None => self,
        }
    }

    fn of_phase(phase: &'a PhaseResult) -> Self {
        let point = Self::new(&phase.name, phase.outcome);
        let point = point.with("seconds", phase.took.as_secs_f64()).with_text("at", phase.place.as_deref());
        if phase.outcome.is_none() { point.with("message", "cut off") } else { point }
    }

    fn of_case(name: &'a str, case: &TestCase) -> Self {
        let skip = match case.result {
            TestResult::Pass | TestResult::Fail => None,
            TestResult::Skip => Some(""),
            TestResult::Unknown => Some("result: unknown"),
        };
        let point = Self { skip, ..Self::new(name, None) };
        let point = Self { passed: case.result != TestResult::Fail, ..point };
        let point = point.with_text("message", case.comment.as_deref());
        let point = match case.measurement {
            Some(value) => point.with("measurement", value),
            None => point,
        };
        point.with_text("units", case.units.as_deref()).with_text("reference", case.reference.as_deref())
    }

    fn of_definition(definition: &'a DefinitionResult) -> Self {
        let reason = match (&definition.reason, definition.outcome) {
            (Some(reason), _) => Some(reason.as_str()),
            (None, Some(_)) => None,
            (None, None) => Some("cut off"),
        };
        Self::new(&definition.name, definition.outcome)
            .with("seconds", definition.took.as_secs_f64())
            .with_text("at", definition.place.as_deref())
            .with_text("message", reason)
    }

    fn of_node(node: &'a NodeResults) -> Self {
        let point = Self::new(&node.name, node.outcome);
        let point = point.with("role", node.role.as_str()).with("board", node.board.as_str());
        match &node.fault {
            Some(fault) => point
                .with("class", fault.class.to_string())
                .with_text("at", Some(&fault.place))
                .with_text("message", Some(&fault.message))
                .with_text("help", fault.help.as_deref()),
            None => point,
        }
    }
}

/// A TAP document, or a subtest of one.
struct Document {
    text: String,
    indent: usize,
    points: usize,
}

impl Document {
    fn new(depth: usize, points: usize) -> Self {
        let mut document = Self { text: String::new(), indent: depth * INDENT, points: 0 };
        document.line(&format!("1..{points}"));
        document
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = self.indent);
    }

    fn point(&mut self, point: &Point<'_>) -> io::Result<()> {
        self.points += 1;
        let status = if point.passed { "ok" } else { "not ok" };
        let (number, name) = (self.points, escaped(point.name));
        let skip = point.skip.map(|reason| format!(" # SKIP {}", escaped(reason))).unwrap_or_default();
        self.line(format!("{status} {number} - {name}{skip}").trim_end());
        if !point.diagnostics.is_empty() {
            self.line("  ---");
            for (key, value) in &point.diagnostics {
                self.line(&format!("  {key}: {}", yaml::to_line(value)?));
            }
            self.line("  ...");
        }
        Ok(())
    }

    /// A subtest, and the point that says how it ended.
    fn subtest(&mut self, subtest: &Self, point: &Point<'_>) -> io::Result<()> {
        self.line(&format!("# Subtest: {}", escaped(point.name)));
        self.text += &subtest.text;
        self.point(point)
    }
}

fn render(results: &Results) -> io::Result<String> {
    let mut document = Document::new(0, results.nodes.len());
    for node in &results.nodes {
        document.subtest(&node_subtest(node)?, &Point::of_node(node))?;
    }
    let bail_out = bail_out(results).map(|reason| format!("Bail out! {}\n", escaped(&reason)));
    Ok(format!("TAP version 14\n{}{}", document.text, bail_out.unwrap_or_default()))
}

fn node_subtest(node: &NodeResults) -> io::Result<Document> {
    let mut document = Document::new(1, node.phases.len() + node.definitions.len());
    for phase in &node.phases {
        document.point(&Point::of_phase(phase))?;
    }
    for (definition, cases) in node.definitions_and_cases() {
        let mut subtest = Document::new(2, cases.len());
        for case in &cases {
            subtest.point(&Point::of_case(&case.full_name(), case))?;
        }
        let point = Point::of_definition(definition);
        // An empty plan would say that the definition was skipped.
        if cases.is_empty() { document.point(&point)? } else { document.subtest(&subtest, &point)? }
    }
    Ok(document)
}

/// Why the run ended early, if it did.
fn bail_out(results: &Results) -> Option<String> {
    let told = |fault: &Fault| {
        let message = fault.headline();
        format!("{} error, {}: {message}", fault.class, fault.place)
    };
    match (results.outcome, &results.fault) {
        (Some(Outcome::Pass | Outcome::Fail), _) => None,
        (Some(Outcome::Error | Outcome::Cancelled), Some(fault)) => Some(clip(&told(fault), MAX_TEXT)),
        (Some(Outcome::Error | Outcome::Cancelled), None) => Some("the run could not be done".to_owned()),
        (None, _) => Some("the run was cut off".to_owned()),
    }
}

/// A description or a reason: `#` and `\` with a backslash, and in one line, as nothing else can be escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '#' | '\\' => escaped.extend(['\\', character]),
            '\u{2028}' | '\u{2029}' => escaped.push(' '),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
