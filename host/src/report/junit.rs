//! `junit.xml`: a test suite per node and definition, `failure` for tests and `error` for everything else.
//!
//! A run knows when a definition began and how long it took, but not how long each case did: cases have no time. The
//! last lines of a node that did not pass are its `system-out`, which GitLab and Jenkins show beside the failure.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::event::{self, Event, EventKind, Outcome, TestResult};
use crate::fault::Fault;
use crate::report::results::{DefinitionResult, NodeResults};
use crate::report::results_json::replace_file;
use crate::report::tail::{Limit, Tail, Tails};
use crate::report::{Reporter, Results};

/// What is shown of a node that did not pass.
const TAIL: Limit = Limit { lines: 100, bytes: 32 * 1024 };

/// Writes `junit.xml` at the end of the run.
#[derive(Debug)]
pub struct Junit {
    path: PathBuf,
    tails: Tails,
}

impl Junit {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, tails: Tails::new(TAIL) }
    }

    fn write(&self, results: &Results) -> io::Result<()> {
        let xml = render(results, &self.tails).to_string().map_err(io::Error::other)?;
        replace_file(&self.path, xml.as_bytes())
    }
}

impl Reporter for Junit {
    fn name(&self) -> &'static str {
        "junit.xml"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        self.tails.add(event);
        if matches!(event.kind, EventKind::RunFinished { .. }) { self.write(so_far) } else { Ok(()) }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.tails.cut_off(so_far.last_event());
        self.write(so_far)
    }
}

/// The report as quick-junit's tree.
fn render(results: &Results, tails: &Tails) -> Report {
    let mut report = Report::new(results.job.as_str());
    report.set_time(results.duration);
    for node in &results.nodes {
        report.add_test_suite(node_suite(results, node, tails.of(&node.name)));
        for (definition, cases) in node.definitions_and_cases() {
            report.add_test_suite(definition_suite(results, node, definition, &cases));
        }
    }
    report
}

/// A suite with the attributes that JUnit's schema wants of each: when it began, and on which machine.
fn suite(results: &Results, name: &str, node: &NodeResults, began: Duration, took: Duration) -> TestSuite {
    let mut suite = TestSuite::new(name);
    if let Some(started) = results.started {
        let at = (started + began).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        suite.extra.insert("timestamp".into(), at.into());
    }
    suite.extra.insert("hostname".into(), node.board.as_str().into());
    suite.set_time(took);
    suite
}

fn node_suite(results: &Results, node: &NodeResults, tail: Option<&Tail>) -> TestSuite {
    let began = node.phases.first().map(|phase| phase.began).unwrap_or_default();
    let mut suite = suite(results, &node.name, node, began, time_of_phases(node));
    suite.add_property(("version", results.version.as_str()));
    suite.add_property(("role", node.role.as_str()));
    suite.add_property(("board", node.board.as_str()));
    for phase in &node.phases {
        let outcome = phase.outcome.map_or_else(|| "cut off".to_owned(), |outcome| outcome.to_string());
        let value = format!("{outcome} {:.1} s", phase.took.as_secs_f64());
        suite.add_property((format!("phase.{}", phase.name), value));
    }
    suite.add_test_case(node_case(node));
    if let Some(tail) = tail.filter(|_| node.outcome != Some(Outcome::Pass)) {
        let lines: Vec<&str> = tail.lines().map(|line| line.text.as_str()).collect();
        suite.set_system_out(lines.join("\n"));
    }
    suite
}

fn time_of_phases(node: &NodeResults) -> Duration {
    node.phases.iter().map(|phase| phase.took).sum()
}

/// One case that says how the node as a whole ended: boot failures must not look like an empty, green suite.
fn node_case(node: &NodeResults) -> TestCase {
    let status = match (node.outcome, &node.fault) {
        (Some(Outcome::Pass), _) => TestCaseStatus::success(),
        (Some(Outcome::Fail), fault) => non_success(NonSuccessKind::Failure, fault.as_ref(), "a test failed"),
        (_, fault) => non_success(NonSuccessKind::Error, fault.as_ref(), "the node did not end"),
    };
    let mut case = TestCase::new("run", status);
    case.set_classname(node.name.as_str());
    case.set_time(time_of_phases(node));
    case
}

fn definition_suite(
    results: &Results,
    node: &NodeResults,
    definition: &DefinitionResult,
    cases: &[&event::TestCase],
) -> TestSuite {
    let name = format!("{}.{}", node.name, definition.name);
    let mut suite = suite(results, &name, node, definition.began, definition.took);
    if let Some(place) = &definition.place {
        suite.add_property(("place", place.as_str()));
    }
    let status = match (definition.outcome, &definition.reason) {
        (Some(Outcome::Pass), _) => TestCaseStatus::success(),
        (Some(Outcome::Fail), reason) => {
            message(NonSuccessKind::Failure, reason.as_deref().unwrap_or("failed"), "test")
        }
        (_, reason) => {
            message(NonSuccessKind::Error, reason.as_deref().unwrap_or("did not run to its end"), "error")
        }
    };
    let mut whole = TestCase::new("definition", status);
    whole.set_classname(name.as_str());
    whole.set_time(definition.took);
    suite.add_test_case(whole);
    let complaints =
        node.kernel.iter().filter(|complaint| complaint.definition.as_ref() == Some(&definition.name));
    let complaints: Vec<_> =
        complaints.map(|said| format!("kernel {}: {}", said.complaint, said.text)).collect();
    if !complaints.is_empty() {
        suite.set_system_err(complaints.join("\n"));
    }
    for test in cases {
        suite.add_test_case(test_case(&name, test));
    }
    suite
}

fn test_case(suite: &str, test: &event::TestCase) -> TestCase {
    let status = match test.result {
        TestResult::Pass => TestCaseStatus::success(),
        TestResult::Fail => {
            message(NonSuccessKind::Failure, test.comment.as_deref().unwrap_or("result: fail"), "test")
        }
        // It does not fail the node either.
        TestResult::Unknown => skipped("result: unknown"),
        TestResult::Skip => TestCaseStatus::skipped(),
    };
    let mut case = TestCase::new(test.full_name(), status);
    case.set_classname(suite);
    if let Some(value) = test.measurement {
        let units = test.units.as_deref().unwrap_or_default();
        case.add_property(("measurement", format!("{value} {units}").trim_end()));
    }
    if let Some(reference) = &test.reference {
        case.add_property(("reference", reference.as_str()));
    }
    case
}

fn non_success(kind: NonSuccessKind, fault: Option<&Fault>, otherwise: &str) -> TestCaseStatus {
    match fault {
        Some(fault) => {
            message(kind, &format!("{}: {}", fault.place, fault.message), &fault.class.to_string())
        }
        None => message(kind, otherwise, "error"),
    }
}

fn skipped(text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(text);
    status
}

fn message(kind: NonSuccessKind, text: &str, class: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(text);
    status.set_type(class);
    status
}
