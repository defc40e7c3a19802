//! What CI services are given.

use super::{Screen, feed, hostile, read, run, written};
use crate::event::EventKind;
use crate::report::Reporter;
use crate::report::ci::{Annotations, ConsoleSections, Fence, LiveSection, Sections, StepSummary};
use crate::report::terminal::{Options, Terminal};

fn printed(screen: &Screen) -> String {
    String::from_utf8(screen.0.lock().unwrap().clone()).unwrap()
}

/// What a step prints on GitHub: the section, the terminal report, and the annotations.
pub(super) fn on_github(events: Vec<(Option<&'static str>, EventKind)>) -> String {
    let screen = Screen::default();
    let out = || Box::new(screen.clone());
    let fence = Fence::new("word".to_owned());
    let sections = Sections::GitHub(fence.clone());
    let mut all: Vec<Box<dyn Reporter>> = vec![
        Box::new(LiveSection::new(out(), sections.clone())),
        Box::new(Terminal::new(out(), Options { console: true, ..Options::default() })),
        Box::new(ConsoleSections::new(out(), sections)),
        Box::new(Annotations::new(out(), fence)),
    ];
    let mut results = crate::report::Results::default();
    for (index, (node, kind)) in (0_u64..).zip(events) {
        let event = super::event(index, node, kind);
        results.add(&event);
        all.iter_mut().for_each(|report| report.report(&event, &results).unwrap());
    }
    printed(&screen)
}

/// The lines of a log that GitHub takes for commands, as its runner does: those that begin with `::` after spaces, and any
/// that has `##[`, unless commands are off.
pub(super) fn commands(log: &str) -> Vec<&str> {
    let mut word: Option<String> = None;
    let mut commands = Vec::new();
    for line in log.lines() {
        let is_command = line.trim_start().starts_with("::") || line.contains("##[");
        match &word {
            Some(expected) if line == format!("::{expected}::") => word = None,
            Some(_) => {}
            None if line.starts_with("::stop-commands::") => {
                word = line.strip_prefix("::stop-commands::").map(str::to_owned);
            }
            None if is_command => commands.push(line),
            None => {}
        }
    }
    assert_eq!(word, None, "commands are on again at the end");
    commands
}

#[test]
fn github_has_annotations_at_the_job_file() {
    insta::assert_snapshot!(commands(&on_github(run())).join("\n"));
}

#[test]
fn nothing_that_a_board_says_is_a_command_to_github() {
    insta::assert_snapshot!(commands(&on_github(hostile::run())).join("\n"));
}

#[test]
fn ten_annotations_are_all_that_github_shows() {
    let mut events = run();
    for _ in 0..20 {
        events.insert(12, run().swap_remove(13));
    }
    let log = on_github(events);
    let errors: Vec<_> = commands(&log).into_iter().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 10, "{errors:#?}");
    assert!(errors[9].ends_with("::14 more failed; the summary and index.html have them"), "{}", errors[9]);
}

#[test]
fn the_summary_of_a_step_is_appended() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("summary.md");
    std::fs::write(&path, "before\n").unwrap();
    feed(&mut StepSummary::new(path.clone()), run());
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    feed(&mut StepSummary::new(path.clone()), hostile::run());
    insta::assert_snapshot!("summary_of_hostile_texts", std::fs::read_to_string(&path).unwrap());
}

#[test]
fn gitlab_folds_the_live_log_and_the_consoles_of_nodes_that_failed() {
    let screen = Screen::default();
    feed(&mut LiveSection::new(Box::new(screen.clone()), Sections::GitLab), run());
    feed(&mut ConsoleSections::new(Box::new(screen.clone()), Sections::GitLab), run());
    insta::assert_snapshot!(printed(&screen).escape_debug().to_string().replace("\\n", "\n"));
}

#[test]
fn gitlab_has_an_issue_for_everything_that_failed() {
    insta::assert_snapshot!(read(&written(run()), "gl-code-quality-report.json"));
}

#[test]
fn issues_can_be_told_apart_and_are_the_same_in_the_next_run() {
    let fingerprints = |events| {
        let report = read(&written(events), "gl-code-quality-report.json");
        let issues: Vec<serde_json::Value> = serde_json::from_str(&report).unwrap();
        issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut twice = run();
    twice.insert(12, run().swap_remove(13));
    let (first, mut second) = (fingerprints(run()), fingerprints(twice));
    assert!(first.iter().all(|fingerprint| second.contains(fingerprint)));
    second.sort();
    second.dedup();
    assert_eq!(second.len(), first.len() + 1);
}
