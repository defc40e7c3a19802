//! Steps of a script: what belongs to which, and how long each may take.

use protocol::agent_to_host::ExitStatus;

use crate::{assert_dies, done, home};
use testbench::agent_runner::Runner;

fn step(number: u16, output: &str) -> (u16, String) {
    (number, output.to_owned())
}

#[test]
fn output_belongs_to_the_step_that_printed_it() {
    let home = home();
    home.script(
        "run.sh",
        "echo before\nlava-step 1 $?\necho one; echo error >&2\nlava-step 2 $?\n\
         lava-step 3 $?\nseq 1 20000 | tail -n 1; printf three\nlava-step 4 $?\necho four\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    let expected = [
        step(0, "before\n"),
        step(1, "one\nerror\n"),
        step(2, ""),
        step(3, "20000\nthree"),
        step(4, "four\n"),
    ];
    assert_eq!((ran.steps, ran.status), (expected.to_vec(), ExitStatus::Code(0)));
}

#[test]
fn a_step_that_fills_the_pipe_keeps_all_of_it() {
    let home = home();
    home.script("run.sh", "lava-step 1 $?\nseq 1 30000\nlava-step 2 $?\necho two\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    let numbers: String = (1..=30_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(ran.steps, [step(0, ""), step(1, &numbers), step(2, "two\n")]);
}

#[test]
fn a_script_that_has_closed_its_output_goes_on_step_by_step() {
    let home = home();
    home.script(
        "run.sh",
        "lava-step 1 $?\necho one\nexec >&- 2>&-\nlava-step 2 $?\nlava-step 3 $?\nexit 4\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    assert_eq!(ran.steps, [step(0, ""), step(1, "one\n"), step(2, ""), step(3, "")]);
    assert_eq!(ran.status, ExitStatus::Code(4));
}

#[test]
fn a_background_process_that_never_stops_printing_holds_no_step_back() {
    let home = home();
    home.script(
        "run.sh",
        "yes & lava-step 1 $?\nlava-step 2 $?\nkill $!\nwait $! || true\nlava-step 3 $?\necho three\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    let numbers: Vec<_> = ran.steps.iter().map(|(number, _)| *number).collect();
    assert_eq!((numbers, ran.status), (vec![0, 1, 2, 3], ExitStatus::Code(0)));
    assert_eq!(ran.steps[3], step(3, "three\n"));
}

#[test]
fn a_script_ends_though_a_process_that_it_left_behind_goes_on_printing() {
    let home = home();
    home.script("run.sh", "yes & echo $! > pid\nexit 3\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    let pid = std::fs::read_to_string(home.path().join("pid")).expect("the script wrote it");
    assert!(std::process::Command::new("kill").arg(pid.trim()).status().expect("coreutils").success());
    assert_eq!(ran.status, ExitStatus::Code(3));
}

#[test]
fn the_status_of_the_step_before_is_kept() {
    let home = home();
    home.script("run.sh", "set +e\n(exit 7)\nlava-step 1 $?\necho $?\nlava-step 2 $?\necho $?\n");
    let mut runner = Runner::over_pipes(&home);
    assert_eq!(runner.run("run.sh", 30, done).output, "7\n0\n");
}

#[test]
fn a_step_out_of_time_is_ended_with_all_its_processes() {
    let home = home();
    home.script(
        "run.sh",
        "lava-step 1 $? 60\necho one\nlava-step 2 $? 3\nsleep 1000 & echo $!; wait\necho not reached\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!(ran.status, ExitStatus::StepTimedOut);
    assert_eq!((ran.steps.len(), ran.steps[1].1.as_str()), (3, "one\n"));
    assert_dies(ran.steps[2].1.trim());
}

#[test]
fn the_time_of_a_step_ends_with_it() {
    let home = home();
    home.script("run.sh", "lava-step 1 $? 3\nlava-step 2 $?\nsleep 3.5\necho done\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!((ran.output.as_str(), ran.status), ("done\n", ExitStatus::Code(0)));
}

#[test]
fn what_a_script_used_is_told_with_its_end() {
    let home = home();
    home.script("run.sh", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done\n");
    let mut runner = Runner::over_pipes(&home);
    let usage = runner.run("run.sh", 60, done).usage.expect("it has ended by itself");
    assert!((1..60_000).contains(&usage.user_ms) && usage.max_rss_kib >= 500, "{usage:?}");
}

#[test]
fn wrong_numbers_are_a_wrong_call() {
    let home = home();
    home.script("run.sh", "set +e\nlava-step one 0\nlava-step 1\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!((ran.calls.len(), ran.steps.len()), (2, 1));
}
