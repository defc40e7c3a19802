//! Results as LAVA writes them: the records of `logs.yaml`, `result.yaml`, and the export of `results.yaml`.

use std::time::Duration;

use serde::Serialize;

use crate::event::{Outcome, TestCase, TestResult};
use crate::fault::{Class, Fault};
use crate::text::clip;

use super::action_result;

/// The suite of what LAVA itself does; it cannot be the name of a definition, which begins with a number.
const LAVA: &str = "lava";

/// Longest error message, in bytes: one fault may name every case that failed.
const MAX_ERROR: usize = 4 * 1024;

/// A result, as it stands in the log.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record<'a> {
    definition: &'a str,
    case: &'a str,
    result: TestResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measurement: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'a str>,
    /// Seconds with two decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_msg: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    /// Line of the log, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    starttc: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endtc: Option<u64>,
}

impl<'a> Record<'a> {
    fn new(definition: &'a str, case: &'a str, result: TestResult) -> Self {
        Self {
            definition,
            case,
            result,
            set: None,
            measurement: None,
            units: None,
            reference: None,
            comment: None,
            level: None,
            duration: None,
            error_msg: None,
            error_type: None,
            starttc: None,
            endtc: None,
        }
    }

    /// A phase that has ended; `level` is its number.
    pub(super) fn of_phase(phase: &'a str, level: &'a str, took: Duration, outcome: Outcome) -> Self {
        let duration = Some(seconds(took));
        Self { level: Some(level), duration, ..Self::new(LAVA, phase, action_result(outcome)) }
    }

    /// A test definition that has ended.
    pub(super) fn of_definition(definition: &'a str, took: Duration, outcome: Outcome) -> Self {
        Self { duration: Some(seconds(took)), ..Self::new(LAVA, definition, action_result(outcome)) }
    }

    /// A test case.
    pub(super) fn of_case(case: &'a TestCase) -> Self {
        Self {
            set: case.set.as_deref(),
            measurement: case.measurement,
            units: case.units.as_deref(),
            reference: case.reference.as_deref(),
            comment: case.comment.as_deref(),
            ..Self::new(&case.definition, &case.case, case.result)
        }
    }

    /// The node's own end.
    pub(super) fn of_job(verdict: &'a Verdict) -> Self {
        let Verdict { definition, case, result, error_msg, error_type } = verdict;
        let (error_msg, error_type) = (error_msg.as_deref(), *error_type);
        Self { error_msg, error_type, ..Self::new(definition, case, *result) }
    }

    /// The same, and where it stands in the log. Only LAVA's test cases have that.
    pub(super) fn at_line(&self, line: u64) -> Self {
        let line = (self.definition != LAVA).then_some(line);
        Self { starttc: line, endtc: line, ..self.clone() }
    }
}

/// `result.yaml`: how the job of a node ended.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    definition: &'static str,
    case: &'static str,
    result: TestResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_msg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
}

impl Verdict {
    pub(super) fn new(outcome: Outcome, fault: Option<&Fault>) -> Self {
        Self {
            definition: LAVA,
            case: "job",
            result: action_result(outcome),
            error_msg: fault.map(|fault| clip(&format!("{}: {}", fault.place, fault.message), MAX_ERROR)),
            error_type: fault.map(|fault| error_type(fault.class)),
        }
    }
}

/// LAVA's name of a class of faults.
const fn error_type(class: Class) -> &'static str {
    match class {
        Class::Test => "Test",
        Class::Job | Class::Usage => "Job",
        Class::Infrastructure => "Infrastructure",
        Class::Bench => "Configuration",
        Class::Cancelled => "Canceled",
        Class::Bug => "Bug",
    }
}

/// A result as LAVA's server exports it: all values are texts, keys in the order of the alphabet. `url` is not there, as
/// there is no server.
#[derive(Debug, Serialize)]
pub(super) struct Exported<'a> {
    id: String,
    job: &'a str,
    level: &'a str,
    log_end_line: String,
    log_start_line: String,
    logged: String,
    measurement: String,
    metadata: &'a Record<'a>,
    name: &'a str,
    result: TestResult,
    suite: &'a str,
    unit: &'a str,
}

impl<'a> Exported<'a> {
    /// The record of this number of a job's export.
    pub(super) fn new(record: &'a Record<'a>, number: u64, job: &'a str, at: jiff::Timestamp) -> Self {
        let line = |line: Option<u64>| line.map(|line| line.to_string()).unwrap_or_default();
        Self {
            id: number.to_string(),
            job,
            level: record.level.unwrap_or_default(),
            log_end_line: line(record.endtc),
            log_start_line: line(record.starttc),
            logged: at.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string(),
            // The server writes Python's word for nothing.
            measurement: record.measurement.map_or_else(|| "None".to_owned(), |value| value.to_string()),
            metadata: record,
            name: record.case,
            result: record.result,
            suite: record.definition,
            unit: record.units.unwrap_or_default(),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64())
}
