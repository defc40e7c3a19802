//! Tests whose time is over: what is reported, and what comes after them.

use std::fs;

use testbench::harness::{Finished, Testbench};

use crate::shell_board::{BOOT, bench, job, shell, test};
use crate::tests;

/// Names and outcomes of the node's definitions.
fn definitions(run: &Finished) -> Vec<String> {
    let results = run.results();
    let definitions = results["nodes"][0]["definitions"].as_array().expect("a list");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    definitions.iter().map(|test| format!("{} {}", text(&test["name"]), text(&test["outcome"]))).collect()
}

/// A second definition in the block that `test` makes.
fn with_another(block: &str, name: &str) -> String {
    let metadata = format!("{{format: Lava-Test Test Definition 1.0, name: {name}}}");
    format!(
        "{block}    - {{from: inline, name: {name}, path: x.yaml, repository: {{metadata: {metadata}, run: {{steps: ['true']}}}}}}\n"
    )
}

/// The time of the action is over before SIGKILL comes.
#[test]
fn a_step_that_ignores_its_end_is_told_with_its_limit() {
    let bench = bench();
    let actions = [BOOT, &test("timeout: {seconds: 3}", "stubborn", &["trap '' TERM; sleep 60"])].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(1), "{run}");
    let told = run.results()["fault"]["message"].to_string();
    for part in ["(3 s: `timeout` of `test`, job.yaml:", "in `trap '' TERM; sleep 60`", "ignores SIGTERM"] {
        assert!(told.contains(part), "no {part:?}: {told}");
    }
}

#[test]
fn a_test_that_may_be_skipped_fails_and_the_next_one_has_the_shell() {
    let bench = bench();
    let late = test("timeout: {seconds: 4, skip: true}", "late", &["sleep 60"]);
    let next = test("", "next", &["lava-test-case there --result pass"]);
    let run = bench.start_text(&job(&bench, &[BOOT, &with_another(&late, "never"), &next].concat())).finish();
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(definitions(&run), ["0_late fail", "1_never fail", "2_next pass"], "{run}");
    assert_eq!(tests(&run), ["2_next/there pass"]);
    assert!(run.stderr.contains("the job goes on, as `skip` says") || run.stdout.contains("as `skip` says"));
}

#[test]
fn a_test_that_has_used_up_its_share_is_tried_again_over_the_same_shell() {
    let bench = bench();
    let marker = bench.path().join("again");
    let slow = format!("test -e {0} || {{ touch {0}; sleep 60; }}", marker.display());
    let again = test(
        "failure_retry: 2\n    timeout: {seconds: 24}",
        "slow",
        &[&slow, "lava-test-case there --result pass"],
    );
    let run = bench.start_text(&job(&bench, &[BOOT, &again].concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_slow/there pass"]);
}

#[test]
fn tests_that_a_job_does_not_come_to_are_reported_with_the_reason() {
    let bench = bench();
    let late = test("timeout: {seconds: 4}", "late", &["sleep 60"]);
    let never = test("", "never", &["true"]);
    let run = bench.start_text(&job(&bench, &[BOOT, &late, &never].concat())).finish();
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(definitions(&run), ["0_late fail", "1_never fail"], "{run}");
    let results = run.results();
    let never = &results["nodes"][0]["definitions"][1];
    assert!(never["reason"].as_str().is_some_and(|reason| reason.starts_with("not run: ")), "{never}");
    let place = never["place"].as_str().unwrap_or_default();
    assert!(place.ends_with(":16:3"), "the action itself: {place}");
    assert!(run.file("junit.xml").contains("1_never"));
}

#[test]
fn a_boot_loader_speaks_before_what_boots_by_itself() {
    let loader =
        "echo 'U-Boot SPL 2023.04'; echo; echo 'U-Boot 2023.04 (Apr 01 2023)'; echo 'Starting kernel ...'";
    let bench = Testbench::new().console(&shell("first", loader));
    let run = bench.start_text(&job(&bench, &[BOOT, &test("", "smoke", &["true"])].concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn nothing_is_removed_from_a_board_but_what_the_run_has_put_there() {
    let bench = bench();
    let directory = bench.path().join("precious");
    fs::create_dir(&directory).expect("an own directory");
    fs::write(directory.join("data"), "mine").expect("an own directory");
    let actions = [BOOT, &test("", "smoke", &["lava-test-case there --result pass"])].concat();
    let text = job(&bench, &actions).replace("/tmp/lava-%s", "/precious");
    assert!(text.contains("/precious}"));
    let run = bench.start_text(&text).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let names: Vec<_> = fs::read_dir(&directory)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").file_name())
        .collect();
    assert_eq!(names, ["data"], "the agent's own directory is gone");
}
