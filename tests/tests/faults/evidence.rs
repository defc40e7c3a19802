//! What has to be there after every run that failed, whatever went wrong.

use serde_json::Value;
use testbench::harness::{Finished, NODE};

/// A fault that a run is to end with.
pub(crate) struct Expected<'a> {
    /// Whose fault: `infrastructure`, `job`, ….
    pub(crate) class: &'a str,
    /// The phase that it happens in.
    pub(crate) phase: &'a str,
    /// Texts of the message: what happened, and the board's last words.
    pub(crate) said: &'a [&'a str],
}

impl Expected<'_> {
    const fn code(class: &str) -> i32 {
        match class.as_bytes() {
            b"test" => 1,
            b"job" | b"usage" => 2,
            b"infrastructure" => 3,
            b"bench" => 4,
            b"cancelled" => 5,
            _ => 70,
        }
    }

    /// Checks exit code, terminal, all files of the results and the board's power.
    #[track_caller]
    pub(crate) fn assert(&self, run: &Finished) {
        let Self { class, phase, said } = self;
        assert_eq!(run.code, Some(Self::code(class)), "{run}");
        let results = run.results();
        let outcome = if *class == "test" { "fail" } else { "error" };
        assert_eq!(results["outcome"], outcome, "{run}");
        let fault = &results["fault"];
        assert_eq!(fault["class"], **class, "{run}");
        let place = fault["where"].as_str().unwrap();
        assert!(place.starts_with(&format!("{NODE}, {phase} (job.yaml:")), "{place}\n{run}");
        let message = fault["message"].as_str().unwrap();
        for text in *said {
            assert!(message.contains(text), "no {text:?} in {message:?}\n{run}");
            assert!(run.stdout.contains(text), "no {text:?} on the terminal\n{run}");
        }
        assert!(run.stdout.contains(&format!("{class} error {place}\n")), "{run}");
        assert!(run.stdout.contains(&format!("\n{outcome} one-board in ")), "{run}");

        let node = &results["nodes"][0];
        assert_eq!((&node["fault"], &node["outcome"]), (fault, &Value::from(outcome)), "{run}");
        self.assert_phases(node, run);
        self.assert_events(fault, run);
        let junit = run.file("junit.xml");
        assert!(junit.trim_end().ends_with("</testsuites>"), "{junit}");
        assert!(junit.contains(&format!("type=\"{class}\"")), "{junit}");
        assert!(junit.contains(" errors=\"1\""), "{junit}");
    }

    /// All phases before the one that failed passed, and power is off behind it where it was on.
    #[track_caller]
    fn assert_phases(&self, node: &Value, run: &Finished) {
        let phases: Vec<(&str, &str)> = node["phases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|phase| (phase["name"].as_str().unwrap(), phase["outcome"].as_str().unwrap()))
            .collect();
        let all = ["prepare", "deploy-tftp", "boot-u-boot", "test-0"];
        let failed = all.iter().position(|name| *name == self.phase).unwrap();
        let mut expected: Vec<(&str, &str)> = all[..failed].iter().map(|name| (*name, "pass")).collect();
        expected.push((self.phase, "error"));
        let power = run.power();
        if !power.is_empty() {
            expected.push(("power-off", "pass"));
            assert_eq!(power.first().map(String::as_str), Some("reset"), "{run}");
            assert_eq!(power.last().map(String::as_str), Some("off"), "{run}");
        }
        assert_eq!(phases, expected, "{run}");
    }

    /// `run.jsonl` has every event from the first to the last.
    #[track_caller]
    fn assert_events(&self, fault: &Value, run: &Finished) {
        let events = run.events();
        assert!(events.iter().enumerate().all(|(index, event)| event["seq"] == index), "{run}");
        assert_eq!(events.first().unwrap()["event"], "run-started");
        let last = events.last().unwrap();
        assert_eq!((last["event"].as_str(), &last["fault"]), (Some("run-finished"), fault), "{run}");
    }
}

/// The board was switched on and off again.
#[track_caller]
pub(crate) fn assert_power_cycled(run: &Finished) {
    assert_eq!(run.power(), ["reset", "off"], "{run}");
}

/// The board was never touched.
#[track_caller]
pub(crate) fn assert_power_untouched(run: &Finished) {
    assert!(run.power().is_empty(), "{:?}\n{run}", run.power());
}

/// The run was refused before anything was touched: an error on standard error, and no results.
#[track_caller]
pub(crate) fn assert_refused(run: &Finished, class: &str, said: &[&str]) {
    assert_eq!(run.code, Some(Expected::code(class)), "{run}");
    assert!(run.stderr.contains(&format!("{class} error: ")), "{run}");
    for text in said {
        assert!(run.stderr.contains(text), "no {text:?}\n{run}");
    }
    assert_eq!(run.stdout, "", "{run}");
    assert!(!run.out.exists(), "{run}");
    assert_power_untouched(run);
}
