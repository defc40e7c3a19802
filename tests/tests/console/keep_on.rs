//! `run --keep-on`: a board whose job has failed, for a person to look at.

use rustix::process::Signal;
use testbench::harness::{Definition, Job, Testbench};

use crate::{ESCAPE, at_console};

#[test]
fn a_board_whose_job_failed_stays_on_for_a_person_until_the_run_is_stopped() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let fails = Definition::new("fails", &["lava-test-case broken --result fail"]);
    bench.write("job.yaml", Job::new().definitions(&[fails]).to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-on"]);
    run.wait_for("board `fake1` stays on for 60 min: `host-runner console fake1`");
    run.wait_for("keep-on … (at most 60 min)");
    let boards = bench.start_with(&["boards"]).finish();
    // With the day, if that is another one than that of the start.
    let (_, until) = boards.stdout.split_once(", keeps a failed board on until ").expect("it says so");
    assert!(until.contains(" UTC)\n"), "{boards}");
    let mut person = at_console(&bench, &[]);
    person.sees(&format!("console of fake1, which {}", bench.run_of("out")));
    person.types(&format!("{ESCAPE}t"));
    person.sees("keys are for the board now");
    person.types("uname -m\r");
    person.sees("armv7l");
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
    assert!(!std::fs::read_to_string(bench.path().join("power.log")).unwrap_or_default().ends_with("off\n"));
    run.signal(Signal::INT);
    let finished = run.finish();
    assert_eq!(finished.code, Some(1), "the tests decide: {finished}");
    assert_eq!(finished.power().last().map(String::as_str), Some("off"), "{finished}");
}

#[test]
fn a_board_that_did_not_boot_stays_on_with_its_console_open_again() {
    let bench = Testbench::new().fault("panic");
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-on=5"]);
    run.wait_for("board `fake1` stays on for 5 min");
    let mut person = at_console(&bench, &[]);
    person.sees(&format!("console of fake1, which {}", bench.run_of("out")));
    person.sees("Hit any key to stop autoboot");
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
    run.signal(Signal::INT);
    let finished = run.finish();
    assert_eq!(finished.code, Some(3), "{finished}");
}

#[test]
fn a_board_whose_power_nobody_switches_stays_on_as_well() {
    let bench = Testbench::new();
    let text = bench.to_toml();
    let (without_power, _) = text.split_once("[boards.fake1.power]").expect("it has one");
    let bench = bench.bench_text(without_power);
    bench.write("bench.toml", bench.to_toml());
    let fails = Definition::new("fails", &["lava-test-case broken --result fail"]);
    bench.write("job.yaml", Job::new().definitions(&[fails]).to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-on"]);
    run.wait_for("board `fake1` stays on for 60 min");
    run.signal(Signal::INT);
    assert_eq!(run.finish().code, Some(1));
}

#[test]
fn a_person_logs_in_on_a_board_that_stays_on_with_the_runs_key_and_not_before() {
    let bench = Testbench::new().board_line("ssh_port = 2222").board_option(&["--sshd-port", "2222"]);
    bench.write("bench.toml", bench.to_toml());
    let fails = Definition::new("fails", &["lava-test-case broken --result fail"]);
    bench.write("job.yaml", Job::new().definitions(&[fails]).to_yaml());
    // The fake board's server is this user's.
    let id = std::process::Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(id.stdout).unwrap().trim().to_owned();
    let ssh = |options: &[&str]| {
        let words = ["ssh", "fake1", "--user", &user, "-o", "BatchMode=yes"];
        bench.start_with(&[&words, options].concat()).finish()
    };
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-on"]);
    run.wait_for("`host-runner ssh fake1` logs in on it as root");
    let inside = ssh(&["echo", "inside"]);
    assert_eq!((inside.code, inside.stdout.as_str()), (Some(0), "inside\n"), "{inside}");
    let wrong_host = ssh(&["-o", "UserKnownHostsFile=/dev/null", "true"]);
    assert_eq!(wrong_host.code, Some(0), "what comes first counts, and that is the run's: {wrong_host}");
    let of_the_run = std::fs::read_dir(bench.path().join("cache/ssh")).unwrap().count();
    assert_eq!(of_the_run, 1);
    run.signal(Signal::INT);
    let finished = run.finish();
    assert_eq!(finished.code, Some(1), "{finished}");
    let outside = ssh(&["true"]);
    assert_eq!(outside.code, Some(255), "nobody is there: {outside}");
}
