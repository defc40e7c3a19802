//! `command` actions: commands of the bench, and what undoes them.

use testbench::harness::Testbench;

use crate::shell_board::{BOOT, bench, job, test};

/// A bench whose command `relay` writes what is done to a file, and whose command `broken` fails.
fn with_commands() -> Testbench {
    let bench = bench();
    let log = bench.path().join("relay.log").display().to_string();
    let write = |word: &str| format!("{:?}", ["sh", "-c", &format!("echo {word} >> {log}")]);
    let relay = format!("relay = {{ do = {}, undo = {} }}", write("on"), write("off"));
    let broken = format!("broken = {{ do = {:?} }}", ["sh", "-c", "echo no such relay >&2; exit 3"]);
    bench.board_line(&format!("commands = {{ {relay}, {broken} }}"))
}

fn log(bench: &Testbench) -> String {
    std::fs::read_to_string(bench.path().join("relay.log")).unwrap_or_default()
}

#[test]
fn what_a_command_did_is_undone_at_the_jobs_end() {
    let bench = with_commands();
    let saw =
        format!("lava-test-case on --shell 'test \"$(cat {}/relay.log)\" = on'", bench.path().display());
    let actions = ["- command: {name: relay}\n", BOOT, &test("", "smoke", &[&saw])].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(log(&bench), "on\noff\n");
}

#[test]
fn a_command_that_fails_ends_the_job_with_its_words_and_the_others_are_undone() {
    let bench = with_commands();
    let actions = ["- command: {name: relay}\n- command: {name: broken}\n", BOOT].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(3), "{run}");
    let fault = run.results()["fault"].to_string();
    assert!(fault.contains("no such relay") && fault.contains("broken"), "{fault}");
    assert_eq!(log(&bench), "on\noff\n");
}

#[test]
fn a_command_that_the_board_does_not_have_is_told_before_anything_is_done() {
    let bench = with_commands();
    let actions = ["- command: {name: relax}\n", BOOT].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert!(run.stderr.contains("relax") && run.stderr.contains("relay"), "{run}");
    assert!(run.power().is_empty() && log(&bench).is_empty(), "{run}");
}

#[test]
fn a_command_that_fails_at_first_is_tried_again() {
    let bench = bench();
    let marker = bench.path().join("warm").display().to_string();
    let first = format!("test -e {marker} || {{ touch {marker}; echo still cold >&2; exit 1; }}");
    let bench = bench.board_line(&format!("commands = {{ relay = {{ do = {:?} }} }}", ["sh", "-c", &first]));
    let actions =
        ["- command: {name: relay, failure_retry: 2}\n", BOOT, &test("", "smoke", &["true"])].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let attempts = run.results()["nodes"][0]["attempts"].to_string();
    assert!(attempts.contains("still cold"), "{attempts}");
}

#[test]
fn power_can_be_switched_by_commands_of_the_job() {
    let bench = bench();
    let commands =
        ["power_off", "power_on", "hard_reset"].map(|name| format!("- command: {{name: {name}}}\n"));
    let actions = [&commands.concat(), BOOT, &test("", "smoke", &["true"])].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.power(), ["off", "on", "reset", "reset", "off"]);
}
