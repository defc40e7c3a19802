//! `junit.xml`: a test suite per node and definition, `failure` for tests and `error` for everything else.

use std::io;
use std::path::PathBuf;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::event::{self, Event, EventKind, Outcome, TestResult};
use crate::fault::Fault;
use crate::report::results::{DefinitionResult, NodeResults};
use crate::report::results_json::replace_file;
use crate::report::{Reporter, Results};

/// Writes `junit.xml` at the end of the run.
#[derive(Debug)]
pub struct Junit {
    path: PathBuf,
    results: Results,
}

impl Junit {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, results: Results::default() }
    }
}

impl Reporter for Junit {
    fn name(&self) -> &'static str {
        "junit.xml"
    }

    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.results.add(event);
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            let xml = render(&self.results).to_string().map_err(io::Error::other)?;
            replace_file(&self.path, xml.as_bytes())?;
        }
        Ok(())
    }
}

/// The report as quick-junit's tree.
fn render(results: &Results) -> Report {
    let mut report = Report::new(results.job.as_str());
    report.set_time(results.duration);
    for node in &results.nodes {
        let mut suite = TestSuite::new(node.name.as_str());
        suite.set_time(node.phases.iter().map(|phase| phase.took).sum());
        suite.add_property(("role", node.role.as_str()));
        suite.add_property(("board", node.board.as_str()));
        suite.add_test_case(node_case(node));
        report.add_test_suite(suite);
        for definition in &node.definitions {
            report.add_test_suite(definition_suite(node, definition));
        }
    }
    report
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
    case.set_time(node.phases.iter().map(|phase| phase.took).sum());
    case
}

fn definition_suite(node: &NodeResults, definition: &DefinitionResult) -> TestSuite {
    let name = format!("{}.{}", node.name, definition.name);
    let mut suite = TestSuite::new(name.as_str());
    suite.set_time(definition.took);
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
    for test in node.tests.iter().filter(|test| test.definition == definition.name) {
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
    let name = test.set.as_ref().map_or_else(|| test.case.clone(), |set| format!("{set}.{}", test.case));
    let mut case = TestCase::new(name, status);
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
