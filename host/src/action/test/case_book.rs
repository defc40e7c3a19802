//! The results of one definition: every report becomes exactly one event, also a malformed one. Pure.

use regex::bytes::Regex;

use crate::event::{EventKind, TestCase, TestResult};

use super::output_pattern::{OutputPattern, Printed};
use super::text_signal::{TextSignal, TextSignals};

/// Longest test case id, set name or reference that is accepted, in bytes.
const MAX_NAME: usize = 512;

/// Most cases that are taken to run at the same time: the commands of older ones were killed, and tell nothing.
const MAX_RUNNING: usize = 64;

/// Keeps what a definition reported.
#[derive(Debug)]
pub(super) struct CaseBook {
    definition: String,
    set: Option<String>,
    /// What was reported, where it is asked for at the end.
    reported: Vec<String>,
    /// Cases whose commands run, the latest last.
    running: Vec<String>,
    expected: Option<Vec<String>>,
    fixups: Vec<(String, String)>,
    pattern: Option<OutputPattern>,
    signals: TextSignals,
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
            reported: Vec::new(),
            running: Vec::new(),
            expected: rules.expected.clone(),
            fixups: rules.fixups.clone(),
            pattern: rules.pattern.clone().map(OutputPattern::new),
            signals: TextSignals::default(),
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
    pub(super) fn case(&mut self, report: Report<'_>) -> EventKind {
        let mut problems = Vec::new();
        if let Some(problem) = id_problem(report.id) {
            problems.push(problem);
        }
        if self.expected.as_ref().is_some_and(|expected| expected.iter().all(|case| case != report.id)) {
            problems.push("the definition does not list it in `expected`".to_owned());
        }
        let fixup = self.fixups.iter().find(|(word, _)| word == report.result);
        let result = fixup.map_or(report.result, |(_, result)| result.as_str());
        let result = parse_result(result).unwrap_or_else(|| {
            problems.push(format!("result `{}` is none of pass, fail, skip, unknown", clip(report.result)));
            TestResult::Fail
        });
        let measurement = report.measurement.and_then(|text| match text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => Some(value),
            _ => {
                problems.push(format!("measurement `{}` is not a number", clip(text)));
                None
            }
        });
        let result = if problems.is_empty() { result } else { TestResult::Fail };
        let case = clip(report.id);
        self.end_case(&case);
        if self.expected.is_some() {
            self.reported.push(case.clone());
        }
        EventKind::TestCase(TestCase {
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
        self.results(&signals, &printed)
    }

    fn results(&mut self, signals: &[TextSignal], printed: &[Printed]) -> Vec<EventKind> {
        let mut events: Vec<_> = signals.iter().filter_map(|signal| self.signal(signal)).collect();
        events.extend(printed.iter().map(|printed| {
            self.case(Report {
                id: &printed.id,
                result: &printed.result,
                measurement: printed.measurement.as_deref(),
                units: printed.units.as_deref(),
                reference: None,
            })
        }));
        events
    }

    /// A text signal of the definition; its event, if it has one.
    pub(super) fn signal(&mut self, signal: &TextSignal) -> Option<EventKind> {
        let case = |id, result, reference| Report { id, result, measurement: None, units: None, reference };
        Some(match signal {
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
                self.start_set(name).unwrap_or_else(|problem| self.failed("lava-test-set", problem))
            }
            TextSignal::TestSet(None) => {
                self.stop_set().unwrap_or_else(|problem| self.failed("lava-test-set", problem))
            }
            TextSignal::TestRaise(message) => self.raised(message),
            TextSignal::TestEvent(message) => {
                EventKind::Note { text: format!("lava-test-event: {}", clip(message)) }
            }
            TextSignal::Malformed(text) => {
                self.failed("lava-signal", format!("malformed signal: {}", clip(text)))
            }
        })
    }

    /// A malformed call of a helper, as a failed case of the helper's name.
    pub(super) fn bad_call(&mut self, helper: &str, problem: &str) -> EventKind {
        self.failed(helper, format!("wrong call: {}", clip(problem)))
    }

    /// `lava-test-raise MESSAGE`, as a failed case; the helper's exit code ends the definition.
    pub(super) fn raised(&mut self, message: &str) -> EventKind {
        self.failed("lava-test-raise", clip(message))
    }

    /// `count` signals or complaints of the kernel came over the console faster than they could be read.
    pub(super) fn lost(&self, count: u64) -> EventKind {
        self.failed(
            "lava-signal",
            format!("{count} signals or kernel complaints came too fast on the console and are lost"),
        )
    }

    fn failed(&self, case: &str, comment: String) -> EventKind {
        EventKind::TestCase(TestCase {
            definition: self.definition.clone(),
            case: clip(case),
            result: TestResult::Fail,
            set: self.set.clone(),
            measurement: None,
            units: None,
            reference: None,
            comment: Some(comment),
        })
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

    /// Failed cases for those that were expected and never reported.
    pub(super) fn missing(&self) -> Vec<EventKind> {
        let missing = self.expected.iter().flatten().filter(|case| !self.reported.contains(case));
        missing.map(|case| self.failed(case, "expected, but never reported".to_owned())).collect()
    }
}

fn parse_result(text: &str) -> Option<TestResult> {
    match text.to_ascii_lowercase().as_str() {
        "pass" => Some(TestResult::Pass),
        "fail" => Some(TestResult::Fail),
        "skip" => Some(TestResult::Skip),
        "unknown" => Some(TestResult::Unknown),
        _ => None,
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
    match text.char_indices().find(|(at, c)| at + c.len_utf8() > MAX_NAME) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report<'a>(id: &'a str, result: &'a str, measurement: Option<&'a str>) -> Report<'a> {
        Report { id, result, measurement, units: None, reference: None }
    }

    fn case(kind: EventKind) -> TestCase {
        match kind {
            EventKind::TestCase(case) => case,
            other => panic!("not a case: {other:?}"),
        }
    }

    #[test]
    fn a_case_runs_until_its_result_comes() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        assert_eq!(book.running_case(), None);
        book.start_case("outer");
        book.start_case("inner");
        assert_eq!(book.running_case(), Some("inner"));
        book.case(report("other", "pass", None));
        assert_eq!(book.running_case(), Some("inner"));
        book.case(report("inner", "pass", None));
        assert_eq!(book.running_case(), Some("outer"));
        book.case(report("outer", "fail", None));
        assert_eq!(book.running_case(), None);
    }

    #[test]
    fn cases_that_never_end_do_not_pile_up() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        for number in 0..1_000 {
            book.start_case(&number.to_string());
        }
        assert_eq!((book.running.len(), book.running_case()), (MAX_RUNNING, Some("999")));
    }

    #[test]
    fn a_good_report_is_kept_as_it_is() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        let kept = case(book.case(Report { units: Some("MB/s"), ..report("speed", "pass", Some("12.5")) }));
        assert_eq!(
            (kept.result, kept.measurement, kept.units.as_deref()),
            (TestResult::Pass, Some(12.5), Some("MB/s"))
        );
        assert_eq!(kept.comment, None);
    }

    #[test]
    fn a_malformed_report_is_a_failed_case_that_says_why() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        for (id, result, measurement, why) in [
            ("two words", "pass", None, "the test case id has spaces or control characters"),
            ("", "pass", None, "the test case id is empty"),
            ("odd", "maybe", None, "result `maybe` is none of pass, fail, skip, unknown"),
            ("speed", "pass", Some("fast"), "measurement `fast` is not a number"),
            ("speed", "pass", Some("inf"), "measurement `inf` is not a number"),
        ] {
            let kept = case(book.case(report(id, result, measurement)));
            assert_eq!((kept.result, kept.comment.as_deref()), (TestResult::Fail, Some(why)));
        }
    }

    #[test]
    fn cases_belong_to_the_set_that_is_open() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        book.start_set("network").unwrap();
        assert_eq!(book.start_set("disk"), Err("test set `network` is still open".to_owned()));
        assert_eq!(case(book.case(report("ping", "pass", None))).set.as_deref(), Some("network"));
        book.stop_set().unwrap();
        assert_eq!(case(book.case(report("df", "pass", None))).set, None);
        assert_eq!(book.stop_set(), Err("no test set is open".to_owned()));
    }

    #[test]
    fn signals_in_the_output_are_results_and_a_malformed_one_is_a_failed_case() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        let output =
            b"+ echo <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n<LAVA_SIGNAL_TESTSET START net>\n\
            <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RES\n";
        let events = book.printed(output);
        assert_eq!(events.len(), 3, "{events:?}");
        let kept = case(events[1].clone());
        assert_eq!(
            (kept.case.as_str(), kept.set.as_deref(), kept.result),
            ("a", Some("net"), TestResult::Pass)
        );
        let cut = case(events[2].clone());
        let comment = "malformed signal: <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RES";
        assert_eq!((cut.result, cut.comment.as_deref()), (TestResult::Fail, Some(comment)));
    }

    #[test]
    fn a_case_runs_from_its_begin_to_its_result() {
        let mut book = CaseBook::new("0_smoke", &ResultRules::default());
        book.printed(b"<LAVA_SIGNAL_STARTTC disk>\n");
        assert_eq!(book.running_case(), Some("disk"));
        book.case(report("other", "pass", None));
        assert_eq!(book.running_case(), Some("disk"));
        book.case(report("disk", "pass", None));
        assert_eq!(book.running_case(), None);
        book.start_case("ping");
        book.printed(b"<LAVA_SIGNAL_ENDTC ping>\n");
        assert_eq!(book.running_case(), None);
    }

    #[test]
    fn expected_cases_that_never_came_fail_and_so_do_others_that_came() {
        let expected = Some(vec!["ping".to_owned(), "df".to_owned()]);
        let mut book = CaseBook::new("0_smoke", &ResultRules { expected, ..ResultRules::default() });
        assert_eq!(case(book.case(report("ping", "pass", None))).result, TestResult::Pass);
        assert_eq!(case(book.case(report("more", "pass", None))).result, TestResult::Fail);
        let missing = book.missing();
        assert_eq!(missing.len(), 1);
        assert_eq!(case(missing[0].clone()).case, "df");
    }

    #[test]
    fn printed_results_are_found_and_translated() {
        let rules = ResultRules {
            fixups: vec![("PASSED".to_owned(), "pass".to_owned())],
            pattern: Some(Regex::new(r"^(?P<test_case_id>\w+)=(?P<result>\w+)$").unwrap()),
            ..ResultRules::default()
        };
        let mut book = CaseBook::new("0_smoke", &rules);
        let found = book.printed(b"ping=PASSED\ndf=ODD\n").into_iter().map(case);
        let found: Vec<_> = found.map(|case| (case.case, case.result)).collect();
        let pair = |name: &str, result| (name.to_owned(), result);
        assert_eq!(found, [pair("ping", TestResult::Pass), pair("df", TestResult::Fail)]);
    }
}
