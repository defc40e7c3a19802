//! Every report on the same run: one node that fails a test, one whose host did.

mod ci;
mod documented;
mod hostile;
mod html;
mod junit;
mod lava;
mod schemas;
mod stored;
mod tap;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::dialog::ComplaintKind;
use crate::event::{
    Bytes, Direction, Event, EventKind, Node, Outcome, ScriptKind, StepId, TestCase, TestResult, Usage,
};
use crate::fault::{Class, Fault};
use crate::report::console_log::ConsoleLogs;
use crate::report::results_json::ResultsJson;
use crate::report::terminal::{Options, Terminal};
use crate::report::{Reporter, Reports, Results, files};

/// A `Write` whose text can be looked at.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn node(name: &str, role: &str, board: &str) -> Node {
    Node { name: name.to_owned(), role: role.to_owned(), board: board.to_owned(), phases: Vec::new() }
}

fn case(name: &str, result: TestResult, comment: Option<&str>) -> EventKind {
    EventKind::TestCase(TestCase {
        definition: "0_smoke".to_owned(),
        case: name.to_owned(),
        result,
        set: Some("disk".to_owned()),
        measurement: (result == TestResult::Pass).then_some(12.5),
        units: (result == TestResult::Pass).then(|| "MB/s".to_owned()),
        reference: None,
        comment: comment.map(str::to_owned),
    })
}

fn test_fault() -> Fault {
    Fault::new(Class::Test, "host", "1 of 2 test cases failed: 0_smoke/write")
}

fn link_fault() -> Fault {
    Fault::new(Class::Infrastructure, "guest, boot-ssh (job.yaml:9:3)", "cannot connect: Connection refused")
        .with_help("is sshd installed?")
}

/// What happened, by node.
fn run() -> Vec<(Option<&'static str>, EventKind)> {
    let phase = |name: &str| name.to_owned();
    let seconds = Duration::from_secs;
    let step = StepId { script: ScriptKind::Run, number: 1 };
    vec![
        (
            None,
            EventKind::RunStarted {
                job: "demo".to_owned(),
                version: "0.0.0".to_owned(),
                nodes: vec![node("host", "host", "bbb1"), node("guest", "guest", "host")],
            },
        ),
        (None, EventKind::Warning { text: "job.yaml:3:1: `priority` is recorded, not used".to_owned() }),
        (
            Some("host"),
            EventKind::PhaseStarted {
                phase: phase("boot-u-boot"),
                timeout: seconds(900),
                limit: None,
                place: Some("job.yaml:7:3".to_owned()),
            },
        ),
        (
            Some("host"),
            EventKind::Console {
                direction: Direction::Rx,
                data: Bytes(b"U-Boot 2023.01\r\n\x1b[31mHit any key\x1b[0m\r\n=> ".to_vec()),
            },
        ),
        (Some("host"), EventKind::Console { direction: Direction::Tx, data: Bytes(b"boot\n".to_vec()) }),
        (
            Some("host"),
            EventKind::PhaseFinished {
                phase: phase("boot-u-boot"),
                took: seconds(16),
                outcome: Outcome::Pass,
            },
        ),
        (
            Some("host"),
            EventKind::PhaseStarted {
                phase: phase("test-0"),
                timeout: seconds(60),
                limit: None,
                place: Some("job.yaml:12:3".to_owned()),
            },
        ),
        (Some("host"), EventKind::DefinitionStarted { definition: phase("0_smoke"), place: None }),
        (
            Some("host"),
            EventKind::Output {
                definition: phase("0_smoke"),
                step: None,
                data: Bytes(b"+ dd\nhalf a li".to_vec()),
            },
        ),
        (
            Some("host"),
            EventKind::StepStarted {
                definition: phase("0_smoke"),
                step,
                command: "./write --fast".to_owned(),
            },
        ),
        (Some("host"), case("read", TestResult::Pass, None)),
        (
            Some("host"),
            EventKind::Kernel {
                complaint: ComplaintKind::Oops,
                text: "[   12.345678] Internal error: Oops: 5 [#1] SMP ARM".to_owned(),
                definition: Some(phase("0_smoke")),
                step: Some(step),
                case: Some("write".to_owned()),
            },
        ),
        (
            Some("host"),
            EventKind::Output {
                definition: phase("0_smoke"),
                step: Some(step),
                data: Bytes(b"ne <&>\n".to_vec()),
            },
        ),
        (Some("host"), case("write", TestResult::Fail, Some("measurement `fast` is not a number"))),
        (
            Some("host"),
            EventKind::ScriptFinished {
                definition: phase("0_smoke"),
                script: ScriptKind::Run,
                status: "exit code 1".to_owned(),
                took: Duration::from_millis(2400),
                usage: Some(Usage { user_ms: 1200, system_ms: 300, max_rss_kib: 4096 }),
            },
        ),
        (
            Some("host"),
            EventKind::DefinitionFinished {
                definition: phase("0_smoke"),
                outcome: Outcome::Fail,
                took: Duration::from_millis(2500),
                reason: Some("the run steps ended with exit code 1".to_owned()),
            },
        ),
        (
            Some("host"),
            EventKind::PhaseFinished { phase: phase("test-0"), took: seconds(3), outcome: Outcome::Pass },
        ),
        (
            Some("guest"),
            EventKind::PhaseStarted {
                phase: phase("boot-ssh"),
                timeout: seconds(60),
                limit: None,
                place: Some("job.yaml:9:3".to_owned()),
            },
        ),
        (
            Some("guest"),
            EventKind::PhaseFinished { phase: phase("boot-ssh"), took: seconds(60), outcome: Outcome::Error },
        ),
        (Some("guest"), EventKind::NodeFinished { outcome: Outcome::Error, fault: Some(link_fault()) }),
        (Some("host"), EventKind::NodeFinished { outcome: Outcome::Fail, fault: Some(test_fault()) }),
        (None, EventKind::RunFinished { outcome: Outcome::Error, fault: Some(link_fault()) }),
    ]
}

/// The event of this number: one a second.
fn event(index: u64, node: Option<&str>, kind: EventKind) -> Event {
    Event {
        seq: index,
        at: jiff::Timestamp::from_second(1_700_000_000).unwrap() + Duration::from_secs(index),
        elapsed: Duration::from_secs(index),
        node: node.map(str::to_owned),
        kind,
    }
}

/// Feeds the run to a report.
fn report(reporter: &mut dyn Reporter) {
    feed(reporter, run());
}

/// Feeds events to a report, one a second; what the run has come to with them.
fn feed(reporter: &mut dyn Reporter, events: Vec<(Option<&str>, EventKind)>) -> Results {
    let mut results = Results::default();
    for (index, (node, kind)) in (0_u64..).zip(events) {
        let event = event(index, node, kind);
        results.add(&event);
        reporter.report(&event, &results).unwrap();
    }
    results
}

/// Feeds the events to every report that is a file, and returns their directory.
fn written(events: Vec<(Option<&str>, EventKind)>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut reports = Reports::new(files(directory.path()).unwrap());
    for (index, (node, kind)) in (0_u64..).zip(events) {
        let broken = reports.report(&event(index, node, kind));
        assert!(broken.is_empty(), "{broken:?}");
    }
    directory
}

/// What a file of a run holds.
fn read(directory: &TempDir, name: &str) -> String {
    std::fs::read_to_string(directory.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_terminal_ends_with_tables_and_errors() {
    let screen = Screen::default();
    let mut terminal = Terminal::new(
        Box::new(screen.clone()),
        Options { output: true, console: true, ..Options::default() },
    );
    report(&mut terminal);
    let text = String::from_utf8(screen.0.lock().unwrap().clone()).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn results_json_has_nodes_phases_definitions_and_tests() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("results.json");
    report(&mut ResultsJson::new(path.clone()));
    insta::assert_snapshot!(std::fs::read_to_string(path).unwrap());
}

#[test]
fn the_console_log_has_a_time_on_every_line_and_the_raw_file_every_byte() {
    let directory = tempfile::tempdir().unwrap();
    report(&mut ConsoleLogs::new(directory.path().to_owned()));
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    insta::assert_snapshot!(read("host.log"), @r"
    2023-11-14T22:13:23.000Z U-Boot 2023.01
    2023-11-14T22:13:23.000Z Hit any key
    2023-11-14T22:13:28.000Z 0_smoke| + dd
    2023-11-14T22:13:28.000Z 0_smoke| half a line <&>
    2023-11-14T22:13:23.000Z =>
    ");
    assert_eq!(read("host.raw"), "U-Boot 2023.01\r\n\u{1b}[31mHit any key\u{1b}[0m\r\n=> ");
    assert_eq!(read("host.timing"), "3.000000 41\n");
    assert!(!directory.path().join("guest.log").exists());
}

#[test]
fn a_run_that_is_cut_off_has_no_outcome() {
    let mut results = Results::default();
    let (node, kind) = run().remove(0);
    results.add(&event(0, node, kind));
    assert_eq!((results.outcome, results.nodes.len(), results.nodes[0].outcome), (None, 2, None));
}

#[test]
fn complaints_of_a_kernel_are_listed_a_thousand_times_and_then_counted() {
    let is_complaint = |kind: &EventKind| matches!(kind, EventKind::Kernel { .. });
    let (node, complaint) = run().into_iter().find(|(_, kind)| is_complaint(kind)).unwrap();
    let mut results = Results::default();
    let (_, started) = run().remove(0);
    results.add(&event(0, None, started));
    for index in 1..=1_003 {
        results.add(&event(index, node, complaint.clone()));
    }
    assert_eq!((results.nodes[0].kernel.len(), results.nodes[0].more_of_kernel), (1_000, 3));
}
