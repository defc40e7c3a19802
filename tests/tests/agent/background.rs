//! Background processes: how long they live, and what ends with them.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use protocol::agent_to_host::ExitStatus;

use crate::{assert_dies, done, home, is_alive};
use testbench::agent_runner::{Home, Runner};

/// Waits until a file of the home has `lines` whole lines, and returns them.
fn lines(home: &Home, name: &str, count: usize) -> Vec<String> {
    for _ in 0..6_000 {
        let text = fs::read_to_string(home.path().join(name)).unwrap_or_default();
        if text.matches('\n').count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        // The process writes in its own time, to a plain file.
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{name} has no {count} lines");
}

#[test]
fn a_background_process_outlives_its_step_and_ends_as_a_whole() {
    let home = home();
    home.script(
        "start.sh",
        "lava-background-process-start MON --cmd 'sleep 1000 & echo $!; echo $$; trap \"\" TERM; wait'\necho started\n",
    );
    home.script(
        "stop.sh",
        "lava-background-process-start MON --cmd true || echo code $?\nlava-background-process-stop MON\n\
         lava-background-process-stop MON || echo code $?\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("start.sh", 30, done);
    assert_eq!((ran.output.as_str(), ran.status), ("started\n", ExitStatus::Code(0)));
    let pids = lines(&home, "background-MON.log", 2);
    assert!(pids.iter().all(|pid| is_alive(pid)));
    let ran = runner.run("stop.sh", 30, done);
    let expected = "lava-background-process-start: a background process of that name runs already\ncode 1\n\
                    lava-background-process-stop: no background process of that name runs\ncode 1\n";
    assert_eq!((ran.output.as_str(), ran.calls.len()), (expected, 0));
    pids.iter().for_each(|pid| assert_dies(pid));
}

#[test]
fn a_command_that_ends_is_started_again() {
    let home = home();
    home.script("run.sh", "lava-background-process-start again --cmd echo 'a  b'\n");
    let mut runner = Runner::over_pipes(&home);
    runner.run("run.sh", 30, done);
    assert_eq!(lines(&home, "background-again.log", 2)[..2], ["a  b", "a  b"]);
}

#[test]
fn no_background_process_outlives_its_agent() {
    for ending in [
        |runner: &mut Runner| assert!(runner.quit().success()),
        |runner: &mut Runner| {
            assert_eq!(runner.hang_up().code(), Some(1));
        },
    ] {
        let home = home();
        home.script("run.sh", "lava-background-process-start MON --cmd 'echo $$; exec sleep 1000'\n");
        let mut runner = Runner::over_pipes(&home);
        runner.run("run.sh", 30, done);
        let pid = lines(&home, "background-MON.log", 1).remove(0);
        assert!(is_alive(&pid));
        ending(&mut runner);
        assert_dies(&pid);
    }
}

#[test]
fn a_planted_log_is_not_written_through() {
    let home = home();
    home.script("victim", "precious\n");
    symlink("victim", home.path().join("background-MON.log")).expect("writable");
    home.script("run.sh", "lava-background-process-start MON --cmd 'echo up; sleep 1000'\n");
    let mut runner = Runner::over_pipes(&home);
    runner.run("run.sh", 30, done);
    assert_eq!(lines(&home, "background-MON.log", 1), ["up"]);
    assert_eq!(lines(&home, "victim", 1), ["precious"]);
}

#[test]
fn names_that_are_no_names_are_refused() {
    let home = home();
    home.script(
        "run.sh",
        "for name in ../x 'a b' -x ''; do lava-background-process-start \"$name\" --cmd true || echo code $?; done 2>/dev/null\n\
         lava-background-process-start x || echo code $?\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
    assert_eq!(ran.output.matches("code 1\n").count(), 5, "{}", ran.output);
    assert!(ran.calls.iter().all(|call| call.starts_with("BadCall")), "{:?}", ran.calls);
    assert_eq!(fs::read_dir(home.path()).expect("there").count(), 3, "bin, run.sh, and nothing else is left");
}
