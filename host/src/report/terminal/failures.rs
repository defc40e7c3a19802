//! What failed, last on the screen: whose fault, where, what stood before it, what to do, and where the files are.

use std::fmt::Write as _;
use std::path::Path;

use crate::event::{Outcome, TestResult};
use crate::fault::{Class, Fault};
use crate::report::evidence::Evidence;
use crate::report::finding::{OfTests, Part, distinct_faults, sums_up_tests};
use crate::report::results::NodeResults;
use crate::report::{Results, file_name};

use super::lines::Style;

/// Failures that are shown; the others are counted.
const SHOWN: usize = 10;

/// One thing that failed.
struct Failure<'a> {
    class: Class,
    /// Where: node and phase, definition or case, and the line of the job file.
    place: String,
    message: &'a str,
    /// What was printed before it.
    before: Vec<String>,
    help: Option<&'a str>,
    /// The node's console log, if it has one: a node that said nothing has none.
    log: Option<String>,
}

/// What stands under the last failure of its kind, and not under each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Advice {
    whose: &'static str,
    help: String,
}

/// What went wrong, the fault that decided the run last, and the last word.
pub(super) fn failures(results: &Results, evidence: &Evidence, files: Option<&Path>, style: Style) -> String {
    let failures = all(results, evidence);
    let mut out = String::new();
    // The last ones are read first, and the last of all decided.
    let left_out = failures.len().saturating_sub(SHOWN);
    if left_out > 0 {
        let _ =
            writeln!(out, "{}\n", style.dim(&format!("{left_out} more failed; index.html has all of them")));
    }
    let shown = failures.get(left_out..).unwrap_or_default();
    let advice: Vec<Advice> = shown.iter().map(|failure| failure.advice(files)).collect();
    for (index, (failure, own)) in shown.iter().zip(&advice).enumerate() {
        let later = advice.get(index + 1..).unwrap_or_default();
        let is_last = |told: fn(&Advice) -> &str| later.iter().all(|other| told(other) != told(own));
        let whose = is_last(|advice| advice.whose).then_some(own.whose);
        let help = is_last(|advice| &advice.help).then_some(own.help.as_str());
        let _ = writeln!(out, "{}", failure.render(whose, help, style));
    }
    out += &last_word(results, files, style);
    out
}

/// `error demo in 21.0 s; all of it: out/index.html`.
fn last_word(results: &Results, files: Option<&Path>, style: Style) -> String {
    let seconds = results.duration.as_secs_f64();
    let outcome = results.outcome.unwrap_or(Outcome::Error);
    if let [first, others @ ..] = results.unwritten.as_slice() {
        let word = style.outcome(Outcome::Error, "error");
        let more = if others.is_empty() { String::new() } else { format!(", and {} more", others.len()) };
        let job = &results.job;
        return format!(
            "{word} {job} in {seconds:.1} s: {outcome}, but its results are not whole: {first}{more}\n"
        );
    }
    let word = style.outcome(outcome, &outcome.to_string());
    let files =
        files.map(|files| format!("; all of it: {}", files.join("index.html").display())).unwrap_or_default();
    format!("{word} {} in {seconds:.1} s{files}\n", results.job)
}

/// All that failed: cases and definitions of every node, then faults, the one that decided the run last.
fn all<'a>(results: &'a Results, evidence: &'a Evidence) -> Vec<Failure<'a>> {
    let mut failures: Vec<_> = results
        .nodes
        .iter()
        .flat_map(|node| cases(node, evidence).chain(definitions(node, evidence)))
        .collect();
    let mut faults = distinct_faults(results);
    faults.retain(|(node, fault)| !node.is_some_and(|node| sums_up_tests(node, fault)));
    // Stable: the others stay in the order of their nodes.
    faults.sort_by_key(|(_, fault)| results.fault.as_ref() == Some(*fault));
    failures.extend(faults.into_iter().map(|(node, fault)| of_fault(node, fault, evidence)));
    failures
}

fn of_fault<'a>(node: Option<&'a NodeResults>, fault: &'a Fault, evidence: &Evidence) -> Failure<'a> {
    let name = node.map(|node| node.name.as_str());
    let place = match name {
        Some(name) if !fault.place.starts_with(name) => format!("{name}: {}", fault.place),
        _ => fault.place.clone(),
    };
    let mut before = name.map(|name| evidence.of_node(name)).unwrap_or_default();
    // Often the message has the last lines of the console itself.
    let has_last_lines = fault.has_last_lines();
    before.retain(|line| {
        let is_of_console = line.starts_with('│');
        let text = line.rsplit_once("│ ").map_or(line.as_str(), |(_, text)| text).trim();
        let is_told =
            has_last_lines && is_of_console || fault.message.lines().any(|said| said.trim() == text);
        !text.is_empty() && !is_told
    });
    let help = fault.help.as_deref();
    let log = name.filter(|name| evidence.has_spoken(name)).map(log_of);
    Failure { class: fault.class, place, message: &fault.message, before, help, log }
}

fn cases<'a>(node: &'a NodeResults, evidence: &'a Evidence) -> impl Iterator<Item = Failure<'a>> {
    let failed = node.tests.iter().enumerate().filter(|(_, test)| test.result == TestResult::Fail);
    failed.map(|(index, test)| {
        let place = node.latest(&test.definition).and_then(|definition| definition.place.as_deref());
        Failure {
            class: Class::Test,
            place: located(format!("{}, {}, case {}", node.name, test.definition, test.full_name()), place),
            message: test.comment.as_deref().unwrap_or("result: fail"),
            before: evidence.of_tests(OfTests { node: &node.name, part: Part::Case(index) }).to_vec(),
            help: None,
            log: evidence.has_spoken(&node.name).then(|| log_of(&node.name)),
        }
    })
}

/// Definitions that failed by themselves; those that were not run have their reason in the fault of their node.
fn definitions<'a>(node: &'a NodeResults, evidence: &'a Evidence) -> impl Iterator<Item = Failure<'a>> {
    let all = node.definitions.iter().enumerate();
    let failed = all.filter(|(_, definition)| definition.outcome == Some(Outcome::Fail));
    failed.map(|(index, definition)| Failure {
        class: Class::Test,
        place: located(format!("{}, definition {}", node.name, definition.name), definition.place.as_deref()),
        message: definition.reason.as_deref().unwrap_or("it did not run to its end"),
        before: evidence.of_tests(OfTests { node: &node.name, part: Part::Definition(index) }).to_vec(),
        help: None,
        log: evidence.has_spoken(&node.name).then(|| log_of(&node.name)),
    })
}

fn located(what: String, place: Option<&str>) -> String {
    place.map_or_else(|| what.clone(), |place| format!("{what} ({place})"))
}

/// A node's log, in the directory of the run.
fn log_of(node: &str) -> String {
    format!("console/{}.log", file_name(node))
}

impl Failure<'_> {
    fn advice(&self, files: Option<&Path>) -> Advice {
        let help = self.help.map_or_else(|| self.usual_help(files), str::to_owned);
        Advice { whose: whose(self.class), help }
    }

    fn render(&self, whose: Option<&str>, help: Option<&str>, style: Style) -> String {
        let word = if self.class == Class::Cancelled { "" } else { " error" };
        let head = style.outcome(Outcome::Error, &format!("{}{word}", self.class));
        let mut out = format!("{head} {}\n", self.place);
        for line in self.message.lines() {
            let _ = writeln!(out, "  {line}");
        }
        for line in &self.before {
            let _ = writeln!(out, "    {}", style.dim(line));
        }
        if let Some(whose) = whose {
            let _ = writeln!(out, "  whose fault: {whose}");
        }
        for (index, line) in help.iter().flat_map(|help| help.lines()).enumerate() {
            let _ = writeln!(out, "  {} {line}", if index == 0 { "help:" } else { "     " });
        }
        out
    }

    /// What to do where nothing better is known.
    fn usual_help(&self, files: Option<&Path>) -> String {
        let file = |name: &str| match files {
            Some(files) => files.join(name).display().to_string(),
            None => name.to_owned(),
        };
        match (self.class, &self.log) {
            (Class::Test | Class::Infrastructure, Some(log)) => {
                format!("what it printed before is in {}", file(log))
            }
            (Class::Test | Class::Infrastructure, None) => {
                format!("what happened before is in {}", file("index.html"))
            }
            (Class::Job, _) => {
                "change the job file; `host-runner validate` checks it without a board".to_owned()
            }
            (Class::Usage, _) => "change the command line; `--help` tells what it can say".to_owned(),
            (Class::Bench, _) => {
                "change the bench file, or what it names; `host-runner validate --bench` checks it".to_owned()
            }
            (Class::Cancelled, _) => "run the job again; what it did until then is kept".to_owned(),
            (Class::Bug, _) => format!("please report it, with {}", file("run.jsonl")),
        }
    }
}

/// Whose fault it is, in words.
const fn whose(class: Class) -> &'static str {
    match class {
        Class::Test => "what was tested, or its test",
        Class::Job => "the job file",
        Class::Usage => "the command line",
        Class::Infrastructure => {
            "the board, what boots on it, the network, an artifact or this PC; it says nothing about the tests"
        }
        Class::Bench => "the bench file, or what it names",
        Class::Cancelled => "nobody's, somebody stopped the run",
        Class::Bug => "host-runner itself",
    }
}
