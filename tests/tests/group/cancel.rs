//! Ctrl-C, once and twice.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use rustix::process::Signal;
use testbench::harness::{Definition, Job, Running, Testbench};

use crate::bench::{bench, job};
use crate::outcome::Results;

#[test]
fn ctrl_c_ends_all_members_of_a_group_and_keeps_their_results() {
    let bench = bench();
    let stays = Definition::new("guest", &["lava-test-case there --result pass", "sleep 100"]);
    let later = Definition::new("later", &["lava-sync clients"]);
    let run = bench.start_text(&job(&bench).guests(2).guest(&[stays, later]).to_yaml());
    run.wait_for("guest-1    pass    there");
    run.wait_for("guest-2    pass    there");
    run.signal(Signal::INT);
    let run = run.finish();
    assert_eq!(run.code, Some(5), "{run}");
    let results = Results::of(&run);
    for node in ["host", "guest-1", "guest-2"] {
        assert_eq!(results.fault_of(node), ("cancelled", "the run was stopped"));
    }
    assert_eq!(results.tests("guest-1"), ["0_guest/there pass"]);
    assert_eq!(results.tests("guest-2"), ["0_guest/there pass"]);
    for guest in ["guest-1", "guest-2"] {
        assert_eq!(
            results.definitions(guest),
            ["0_guest cancelled the run was stopped", "1_later cancelled not run: the run was stopped"]
        );
    }
    assert!(
        run.file("junit.xml").contains(r#"<error message="the run was stopped" type="error"/>"#),
        "{run}"
    );
    assert!(run.stdout.contains("definition 0_guest cancelled"), "{run}");
}

/// A run that `signal` stops once it has reported a case, and then again while its power switch waits for [`let_go`].
fn stopped_twice(signal: Signal) -> (Running, PathBuf) {
    let bench = Testbench::new();
    let waits = bench.path().join("waits");
    let made = std::process::Command::new("mkfifo").arg(&waits).status();
    assert!(made.expect("mkfifo runs").success());
    let toml = bench.to_toml().replace("echo off", &format!("read line < {}; echo off", waits.display()));
    let bench = bench.bench_text(&toml);
    let stays = Definition::new("stays", &["lava-test-case there --result pass", "sleep 100"]);
    let run = bench.start(&Job::new().definitions(&[stays]));
    run.wait_for("pass    there");
    run.signal(signal);
    run.wait_for("power-off …");
    run.signal(signal);
    (run, waits)
}

/// Lets the command end that switches the power, whenever it has begun: what it reads stays as long as the pipe is open.
#[must_use]
fn let_go(waits: PathBuf) -> File {
    // A pipe that is opened for both directions waits for nobody.
    let mut waits = OpenOptions::new().read(true).write(true).open(waits).expect("the pipe is there");
    waits.write_all(b"go\n").expect("the pipe takes it");
    waits
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_power_switch_that_hangs() {
    let (run, waits) = stopped_twice(Signal::INT);
    let run = run.finish();
    assert_eq!(run.code, Some(5), "{run}");
    assert!(run.file("run.jsonl").contains("\"case\":\"there\""), "results so far are kept");
    assert!(run.stderr.contains("stopped at once: what was still to be done is not"), "{run}");
    // The command goes on without the runner, because a board is better off late than never.
    drop(let_go(waits));
}

#[test]
fn a_terminal_that_hangs_up_again_and_again_does_not_keep_the_board_from_being_switched_off() {
    let (run, waits) = stopped_twice(Signal::HUP);
    let _open = let_go(waits);
    let run = run.finish();
    assert_eq!(run.code, Some(5), "{run}");
    assert_eq!(run.power().last().map(String::as_str), Some("off"), "{run}");
    assert!(run.file("junit.xml").contains("the run was stopped"), "all reports are written: {run}");
}
