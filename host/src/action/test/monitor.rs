//! `monitors`: results that are only listened for.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::dialog::{Listening, MonitorSettings};
use crate::event::{TestCase, TestResult};
use crate::fault::{Class, Fault};
use crate::job::Monitor;
use crate::link::{Console, DriveError, drive};
use crate::plan::TestLine;
use crate::run::{NodeContext, Phase, Resources};

use super::reported::Reported;

/// Runs the monitors, one after the other.
pub(crate) async fn monitors(
    node: &NodeContext,
    phase: &Phase,
    test: &TestLine<Monitor>,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let Some(line) = resources.space().line.as_mut() else {
        return Err(phase.fault(Class::Job, "the board was not booted: there is nothing to listen to"));
    };
    for monitor in &test.items {
        let name = format!("{}_{}", test.stage, monitor.name);
        let mut reported = Reported::begin(node, phase, &name, monitor.expected.as_deref());
        let result = listen(phase, monitor, &mut line.console, &mut reported).await;
        reported.end(&result);
        result?;
    }
    Ok(())
}

async fn listen(
    phase: &Phase,
    monitor: &Monitor,
    console: &mut Console,
    reported: &mut Reported<'_>,
) -> Result<(), Fault> {
    let settings = MonitorSettings {
        start: phase.pattern(&monitor.start)?,
        end: phase.pattern(&monitor.end)?,
        pattern: phase.pattern(&monitor.pattern)?,
    };
    let (sender, mut results) = mpsc::unbounded_channel();
    // It is read as fast as the line brings it.
    let on_result = Box::new(move |groups| drop(sender.send(groups)));
    let listening = drive(console, Listening::new(settings, on_result, phase.end(), Instant::now()));
    tokio::pin!(listening);
    let ended = loop {
        tokio::select! {
            biased;
            Some(groups) = results.recv() => reported.case(case(reported.definition(), monitor, groups)),
            ended = &mut listening => break ended,
        }
    };
    while let Ok(groups) = results.try_recv() {
        reported.case(case(reported.definition(), monitor, groups));
    }
    let class = |error: &DriveError<_>| match error {
        DriveError::Dialog(_) => Class::Test,
        DriveError::Closed | DriveError::Line(_) | DriveError::Stuck(_) => Class::Infrastructure,
    };
    ended.map_err(|error| phase.error(class(&error), &error))
}

/// A result from the named groups of a match; what is wrong with it makes it a failed case.
fn case(definition: &str, monitor: &Monitor, groups: Vec<(String, String)>) -> TestCase {
    let group = |name: &str| groups.iter().find(|(group, _)| group == name).map(|(_, text)| text.trim());
    let mut problem = None;
    let measurement = group("measurement").filter(|text| !text.is_empty());
    let value = measurement.and_then(|text| text.parse::<f64>().ok().filter(|value| value.is_finite()));
    if let (Some(text), None) = (measurement, value) {
        problem = Some(format!("the measurement {text:?} is not a number"));
    }
    let result = match group("result") {
        None => TestResult::Pass,
        Some(word) => {
            let fixed = monitor.fixups.iter().find(|(from, _)| from == word).map_or(word, |(_, to)| to);
            TestResult::from_name(fixed).unwrap_or_else(|| {
                problem = Some(format!("the result {fixed:?} is none of pass, fail, skip, unknown"));
                TestResult::Fail
            })
        }
    };
    let id = group("test_case_id").map(case_id).filter(|id| !id.is_empty()).unwrap_or_else(|| {
        problem = Some("the pattern has matched no `test_case_id`".to_owned());
        "unnamed".to_owned()
    });
    TestCase {
        definition: definition.to_owned(),
        case: id,
        result: if problem.is_some() { TestResult::Fail } else { result },
        set: None,
        measurement: value,
        units: group("units").filter(|units| !units.is_empty()).map(str::to_owned),
        reference: None,
        comment: problem,
    }
}

/// A test case id from a text: lower case, with `_` for all that is no part of a word, as in LAVA.
fn case_id(text: &str) -> String {
    let mut id = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c.is_alphanumeric() || c == '_' {
            true => id.push(c),
            false if !id.ends_with('_') => id.push('_'),
            false => {}
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor() -> Monitor {
        Monitor {
            name: "m".to_owned(),
            start: String::new(),
            end: String::new(),
            pattern: String::new(),
            fixups: vec![("PASS".to_owned(), "pass".to_owned())],
            expected: None,
        }
    }

    fn read(groups: &[(&str, &str)]) -> TestCase {
        let groups = groups.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        case("0_m", &monitor(), groups)
    }

    #[test]
    fn words_of_the_test_become_results_and_its_names_become_ids() {
        let case =
            read(&[("test_case_id", "Kernel: sem - init"), ("result", "PASS"), ("measurement", "1.5")]);
        assert_eq!((case.case.as_str(), case.result), ("kernel_sem_init", TestResult::Pass));
        assert_eq!((case.measurement, case.comment), (Some(1.5), None));
        assert_eq!(read(&[("test_case_id", "x"), ("measurement", "3")]).result, TestResult::Pass);
    }

    #[test]
    fn what_cannot_be_a_result_is_a_failed_case_that_says_why() {
        for groups in [
            &[("test_case_id", "x"), ("result", "OK")][..],
            &[("test_case_id", "x"), ("result", "PASS"), ("measurement", "fast")],
            &[("result", "PASS")],
        ] {
            let case = read(groups);
            assert_eq!(case.result, TestResult::Fail);
            assert!(case.comment.is_some(), "{groups:?}");
        }
    }
}
