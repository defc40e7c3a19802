//! `results.tap`.

use std::time::Duration;

use super::{case, feed, hostile, run};
use crate::event::{EventKind, Outcome, TestResult};
use crate::report::Reporter as _;
use crate::report::tap::Tap;

/// The document of these events; of a run that was cut off, if the last one is missing.
fn tap(events: Vec<(Option<&'static str>, EventKind)>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("results.tap");
    let mut tap = Tap::new(path.clone());
    let results = feed(&mut tap, events);
    if results.outcome.is_none() {
        tap.cut_off(&results).unwrap();
    }
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn nodes_and_definitions_are_subtests() {
    insta::assert_snapshot!(tap(run()));
}

#[test]
fn names_are_escaped_and_in_one_line() {
    insta::assert_snapshot!(tap(hostile::run()));
}

#[test]
fn definitions_of_one_name_have_each_their_own_cases() {
    let attempt = |cases: &[&str]| {
        let phase = || "test-1".to_owned();
        let started = EventKind::PhaseStarted {
            phase: phase(),
            timeout: Duration::from_secs(60),
            limit: None,
            place: None,
        };
        let definition = EventKind::DefinitionStarted { definition: "0_smoke".to_owned(), place: None };
        let cases = cases.iter().map(|name| case(name, TestResult::Pass, None));
        [started, definition].into_iter().chain(cases).map(|kind| (Some("host"), kind)).collect::<Vec<_>>()
    };
    let failed =
        EventKind::AttemptFailed { phase: "test-1".to_owned(), attempt: 1, of: 2, reason: "no".to_owned() };
    let mut events = run();
    let after = events.split_off(17);
    events.extend(attempt(&["undone"]));
    events.push((Some("host"), failed));
    events.extend(attempt(&["again"]));
    let tap = tap(events.into_iter().chain(after).collect());
    let named = |name: &str| tap.matches(&format!("- disk.{name}\n")).count();
    assert_eq!([named("read"), named("again"), named("undone")], [1, 1, 0], "{tap}");
}

#[test]
fn a_run_whose_tests_failed_does_not_bail_out() {
    let mut events = run();
    events.pop();
    events.push((None, EventKind::RunFinished { outcome: Outcome::Fail, fault: Some(super::test_fault()) }));
    assert!(!tap(events).contains("Bail out!"));
}

#[test]
fn a_run_that_was_cut_off_bails_out_and_passes_nothing_that_was_open() {
    let mut events = run();
    events.truncate(8);
    let tap = tap(events);
    assert!(tap.ends_with("Bail out! the run was cut off\n"), "{tap}");
    assert!(tap.contains("    not ok 2 - test-0\n"), "{tap}");
    assert!(tap.contains("    not ok 3 - 0_smoke\n"), "{tap}");
}
