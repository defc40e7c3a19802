//! The results of one definition: every report becomes exactly one event, also a malformed one. Pure.

use regex::bytes::Regex;

use crate::event::{EventKind, TestCase, TestResult};

use crate::text;

use super::console_watch::Lost;
use super::output_pattern::{OutputPattern, Printed};
use super::text_signal::{TextSignal, TextSignals, parse};

/// Longest test case id, set name or reference that is accepted, in bytes.
const MAX_NAME: usize = 512;

/// Most cases that are taken to run at the same time: the commands of older ones were killed, and tell nothing.
const MAX_RUNNING: usize = 64;

/// Most results of a definition: the run keeps them all in memory.
const MAX_RESULTS: u32 = 100_000;

/// Most signals that were only shown and are told of.
const MAX_SHOWN: usize = 32;

/// Keeps what a definition reported.
#[derive(Debug)]
pub(super) struct CaseBook {
    definition: String,
    set: Option<String>,
    /// The set that what is printed belongs to: calls that begin and end sets may overtake it.
    printed_set: Option<String>,
    /// Results that count, and those that came behind them.
    results: u32,
    refused: u64,
    /// What of the expected cases was reported.
    reported: Vec<String>,
    /// Cases whose commands run, the latest last.
    running: Vec<String>,
    expected: Option<Vec<String>>,
    fixups: Vec<(String, String)>,
    pattern: Option<OutputPattern>,
    signals: TextSignals,
    /// Signals that were shown, and have not come yet as text of their own.
    shown: Vec<String>,
}

/// What a definition says of its results.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResultRules {
    /// `expected`: the cases that must be reported; any other is a failure.
    pub(crate) expected: Option<Vec<String>>,
    /// `parse: fixupdict`: words for results, and the results that they mean.
    pub(crate) fixups: Vec<(String, String)>,
    /// `parse: pattern`: how results look in the output.
    pub(crate) pattern: Option<Regex>,
}

/// A report as it came from the board.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub(super) id: &'a str,
    pub(super) result: &'a str,
    pub(super) measurement: Option<&'a str>,
    pub(super) units: Option<&'a str>,
    pub(super) reference: Option<&'a str>,
}

impl CaseBook {
    pub(super) fn new(definition: &str, rules: &ResultRules) -> Self {
        Self {
            definition: definition.to_owned(),
            set: None,
            printed_set: None,
            results: 0,
            refused: 0,
            reported: Vec::new(),
            running: Vec::new(),
            expected: rules.expected.clone(),
            fixups: rules.fixups.clone(),
            pattern: rules.pattern.clone().map(OutputPattern::new),
            signals: TextSignals::default(),
            shown: Vec::new(),
        }
    }

    /// The definition whose results these are.
    pub(super) fn definition(&self) -> &str {
        &self.definition
    }

    /// The command of a case begins. That is no result yet.
    pub(super) fn start_case(&mut self, id: &str) {
        if self.running.len() == MAX_RUNNING {
            self.running.remove(0);
        }
        self.running.push(clip(id));
    }

    fn end_case(&mut self, id: &str) {
        if let Some(index) = self.running.iter().rposition(|running| running == id) {
            self.running.remove(index);
        }
    }

    /// The case whose command runs now: of several, the one that was started last.
    pub(super) fn running_case(&self) -> Option<&str> {
        self.running.last().map(String::as_str)
    }

    /// A case was reported. What is wrong with the report makes it a failure and goes into its comment.
    ///
    /// # Errors
    /// When the definition has reported too many.
    pub(super) fn case(&mut self, report: Report<'_>) -> Result<EventKind, String> {
        let mut problems = Vec::new();
        if let Some(problem) = id_problem(report.id) {
            problems.push(problem);
        }
        if self.expected.as_ref().is_some_and(|expected| expected.iter().all(|case| case != report.id)) {
            problems.push("the definition does not list it in `expected`".to_owned());
        }
        let fixup = self.fixups.iter().find(|(word, _)| word == report.result);
        let result = fixup.map_or(report.result, |(_, result)| result.as_str());
        let result = TestResult::from_name(result).unwrap_or_else(|| {
            problems.push(format!("result `{}` is none of pass, fail, skip, unknown", clip(report.result)));
            TestResult::Fail
        });
        let measurement = report.measurement.and_then(|text| match text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => Some(value),
            other => {
                let what = if other.is_ok() { "no finite number" } else { "not a number" };
                problems.push(format!("measurement `{}` is {what}", clip(text)));
                None
            }
        });
        let result = if problems.is_empty() { result } else { TestResult::Fail };
        let case = clip(report.id);
        self.end_case(&case);
        if self.expected.iter().flatten().any(|expected| *expected == case) && !self.reported.contains(&case)
        {
            self.reported.push(case.clone());
        }
        self.admit(TestCase {
            definition: self.definition.clone(),
            case,
            result,
            set: self.set.clone(),
            measurement,
            units: report.units.map(clip),
            reference: report.reference.map(clip),
            comment: (!problems.is_empty()).then(|| problems.join("; ")),
        })
    }

    fn admit(&mut self, case: TestCase) -> Result<EventKind, String> {
        if self.results == MAX_RESULTS {
            self.refused += 1;
            return Err(format!("the definition has reported {MAX_RESULTS} results, and no more are kept"));
        }
        self.results += 1;
        Ok(EventKind::TestCase(case))
    }

    /// The definition printed `output`: the results in it, as text signals or by the definition's own pattern.
    pub(super) fn printed(&mut self, output: &[u8]) -> Vec<EventKind> {
        let signals = self.signals.push(output);
        let printed = self.pattern.as_mut().map(|pattern| pattern.push(output)).unwrap_or_default();
        self.results(&signals, &printed)
    }

    /// A script has ended: the results in what it printed last, without a line's end.
    pub(super) fn end_output(&mut self) -> Vec<EventKind> {
        let signals: Vec<_> = self.signals.finish().into_iter().collect();
        let printed: Vec<_> = self.pattern.as_mut().and_then(OutputPattern::finish).into_iter().collect();
        let mut events = self.results(&signals, &printed);
        events.extend(self.shown.drain(..).map(|signal| EventKind::Note {
            text: format!(
                "{} does not count: it came in a command that a shell shows, or in a damaged frame, and not again",
                clip(&signal)
            ),
        }));
        events
    }

    /// Something is told, in its place in the output.
    pub(super) fn told(&mut self, event: &EventKind) {
        if let EventKind::TestSet { set, .. } = event {
            self.printed_set.clone_from(set);
        }
    }

    fn results(&mut self, signals: &[TextSignal], printed: &[Printed]) -> Vec<EventKind> {
        let called = std::mem::replace(&mut self.set, self.printed_set.clone());
        let events = self.results_in_set(signals, printed);
        if self.set == self.printed_set {
            self.set = called;
        } else {
            // A text signal has begun or ended one.
            self.printed_set.clone_from(&self.set);
        }
        events
    }

    fn results_in_set(&mut self, signals: &[TextSignal], printed: &[Printed]) -> Vec<EventKind> {
        let mut events: Vec<_> = signals.iter().filter_map(|signal| self.signal(signal)).collect();
        // A definition that reports too many is told at its end: nobody waits for an answer here.
        events.extend(printed.iter().filter_map(|printed| {
            let report = Report {
                id: &printed.id,
                result: &printed.result,
                measurement: printed.measurement.as_deref(),
                units: printed.units.as_deref(),
                reference: None,
            };
            self.case(report).ok()
        }));
        events
    }

    /// A text signal of the definition; its event, if it has one.
    pub(super) fn signal(&mut self, signal: &TextSignal) -> Option<EventKind> {
        if !self.shown.is_empty() {
            self.shown.retain(|shown| parse(shown).as_ref() != Some(signal));
        }
        let case = |id, result, reference| Report { id, result, measurement: None, units: None, reference };
        let event = match signal {
            TextSignal::TestCase { id, result, measurement, units } => self.case(Report {
                measurement: measurement.as_deref(),
                units: units.as_deref(),
                ..case(id, result, None)
            }),
            TextSignal::TestReference { id, result, url } => self.case(case(id, result, Some(url))),
            TextSignal::Running { id, begins: true } => {
                self.start_case(id);
                return None;
            }
            TextSignal::Running { id, begins: false } => {
                self.end_case(id);
                return None;
            }
            TextSignal::TestSet(Some(name)) => {
                self.start_set(name).or_else(|problem| self.failed("lava-test-set", problem))
            }
            TextSignal::TestSet(None) => {
                self.stop_set().or_else(|problem| self.failed("lava-test-set", problem))
            }
            TextSignal::TestRaise(message) => self.raised(message),
            TextSignal::TestEvent(message) => {
                Ok(EventKind::Note { text: format!("lava-test-event: {}", clip(message)) })
            }
            TextSignal::Malformed(text) => {
                self.failed("lava-signal", format!("malformed signal: {}", clip(text)))
            }
            TextSignal::Shown(text) => {
                if self.shown.len() < MAX_SHOWN && !self.shown.contains(text) {
                    self.shown.push(text.clone());
                }
                return None;
            }
        };
        event.ok()
    }

    /// A malformed call of a helper, as a failed case of the helper's name.
    ///
    /// # Errors
    /// As for [`Self::case`].
    pub(super) fn bad_call(&mut self, helper: &str, problem: &str) -> Result<EventKind, String> {
        self.failed(helper, format!("wrong call: {}", clip(problem)))
    }

    /// `lava-test-raise MESSAGE`, as a failed case; the helper's exit code ends the definition.
    ///
    /// # Errors
    /// As for [`Self::case`].
    pub(super) fn raised(&mut self, message: &str) -> Result<EventKind, String> {
        self.failed("lava-test-raise", clip(message))
    }

    /// Signals or complaints of the kernel came over the console faster than they could be read. A signal may have been a
    /// result; a complaint fails nothing.
    pub(super) fn lost(&mut self, Lost { signals, complaints }: Lost) -> Vec<EventKind> {
        let mut events = Vec::new();
        if signals > 0 {
            let problem = format!("{signals} signals came too fast on the console and are lost");
            events.extend(self.failed("lava-signal", problem));
        }
        if complaints > 0 {
            let text = format!("the kernel complained {complaints} times more than is reported");
            events.push(EventKind::Warning { text });
        }
        events
    }

    /// Something that should have been a result, as a failed case.
    ///
    /// # Errors
    /// As for [`Self::case`].
    pub(super) fn failed(&mut self, case: &str, comment: String) -> Result<EventKind, String> {
        let case = self.failed_case(case, comment);
        self.admit(case)
    }

    fn failed_case(&self, case: &str, comment: String) -> TestCase {
        TestCase {
            definition: self.definition.clone(),
            case: clip(case),
            result: TestResult::Fail,
            set: self.set.clone(),
            measurement: None,
            units: None,
            reference: None,
            comment: Some(comment),
        }
    }

    /// `lava-test-set start NAME`.
    ///
    /// # Errors
    /// When a set is open already.
    pub(super) fn start_set(&mut self, name: &str) -> Result<EventKind, String> {
        if let Some(open) = &self.set {
            return Err(format!("test set `{open}` is still open"));
        }
        self.set = Some(clip(name));
        Ok(EventKind::TestSet { definition: self.definition.clone(), set: self.set.clone() })
    }

    /// `lava-test-set stop`.
    ///
    /// # Errors
    /// When no set is open.
    pub(super) fn stop_set(&mut self) -> Result<EventKind, String> {
        match self.set.take() {
            Some(_) => Ok(EventKind::TestSet { definition: self.definition.clone(), set: None }),
            None => Err("no test set is open".to_owned()),
        }
    }

    /// Failed cases at the end of the definition: for those that were expected and never reported, and for results that were
    /// too many.
    pub(super) fn missing(&self) -> Vec<EventKind> {
        let missing = self.expected.iter().flatten().filter(|case| !self.reported.contains(case));
        let mut failed: Vec<_> =
            missing.map(|case| self.failed_case(case, "expected, but never reported".to_owned())).collect();
        if self.refused > 0 {
            let problem = format!("{} results behind the first {MAX_RESULTS} are not kept", self.refused);
            failed.push(self.failed_case("lava-test-case", problem));
        }
        failed.into_iter().map(EventKind::TestCase).collect()
    }
}

fn id_problem(id: &str) -> Option<String> {
    if id.is_empty() {
        Some("the test case id is empty".to_owned())
    } else if id.len() > MAX_NAME {
        Some(format!("the test case id is longer than {MAX_NAME} bytes"))
    } else if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("the test case id has spaces or control characters".to_owned())
    } else {
        None
    }
}

/// The text, cut to the longest that is kept.
fn clip(text: &str) -> String {
    text::clip(text, MAX_NAME)
}

#[cfg(test)]
mod tests;
