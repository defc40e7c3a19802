//! The agent as built for boards, spoken to over its link: scripts, helpers, files, and what goes wrong.

mod background;
mod cost;
mod helpers;
mod network;
mod packages;
mod steps;
mod terminal;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use protocol::agent_to_host::ExitStatus;
use protocol::helper::{Call, Pairs, Reply};
use protocol::{AgentToHost, HostToAgent};

use testbench::agent_runner::{Build, Home, Runner, built_for};
use testbench::harness::PATIENCE;

fn home() -> Home {
    Home::new(Build::X86)
}

fn done(_: &Call<'_>) -> Vec<Reply<'static>> {
    vec![Reply::Done]
}

fn is_alive(pid: &str) -> bool {
    // A killed process whose parent has not looked yet is a zombie: state Z, third field.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

fn assert_dies(pid: &str) {
    for _ in 0..600 {
        if !is_alive(pid) {
            return;
        }
        // The kernel ends the process in its own time, and there is nothing to wait on: it is no child.
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} is still there");
}

/// A daemon that one definition starts is there for the next ones, and after the agent.
#[test]
fn what_a_script_leaves_behind_can_go_on_printing() {
    let home = home();
    home.script(
        "run.sh",
        "(while [ ! -e stop ]; do echo noise; echo alive >>alive; sleep 0.02; done; echo ended >>alive) &\n",
    );
    let alive = || std::fs::read_to_string(home.path().join("alive")).unwrap_or_default();
    let goes_on = |what: &str| {
        let (begun, before) = (Instant::now(), alive().len());
        while alive().len() < before + 100 {
            assert!(begun.elapsed() < PATIENCE, "{what}: it prints no more");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let mut runner = Runner::over_pipes(&home);
    assert_eq!(runner.run("run.sh", 30, done).status, ExitStatus::Code(0));
    goes_on("after its script");
    assert!(runner.quit().success());
    goes_on("after the agent");
    std::fs::write(home.path().join("stop"), "").expect("writable");
    let begun = Instant::now();
    while !alive().ends_with("ended\n") {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_script_runs_in_its_own_environment_and_tells_how_it_ended() {
    let home = home();
    home.script(
        "run.sh",
        "echo out; echo err >&2; echo $MARK; echo $LAVA_AGENT_SOCKET; echo ${PATH%%:*}; pwd; cat; exit 3\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    let path = home.path().display();
    assert_eq!(ran.output, format!("out\nerr\ninherited\n{path}/agent.sock\n{path}/bin\n{path}\n"));
    assert_eq!(ran.status, ExitStatus::Code(3));
    home.script("run.sh", "kill -SEGV $$\n");
    assert_eq!(runner.run("run.sh", 30, done).status, ExitStatus::Signal(11));
    home.script("run.sh", "false; echo not reached\n");
    let ran = runner.run("run.sh", 30, done);
    assert_eq!((ran.output.as_str(), ran.status), ("", ExitStatus::Code(1)));
    assert!(runner.quit().success());
    assert!(!home.path().join("agent.sock").exists());
}

#[test]
fn long_output_arrives_whole_and_in_order() {
    let home = home();
    home.script("run.sh", "seq 1 20000\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    let expected: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    assert!(ran.output == expected, "{} bytes of {}", ran.output.len(), expected.len());
    assert_eq!(ran.status, ExitStatus::Code(0));
}

#[test]
fn a_file_is_received_and_run() {
    let home = home();
    let mut runner = Runner::over_pipes(&home);
    let text = format!("{}\necho received\n", "# filler\n".repeat(600));
    runner.send(&HostToAgent::OpenFile { path: "0/tests/0_smoke/run.sh", mode: 0o755 });
    for data in text.as_bytes().chunks(protocol::limits::MAX_CHUNK) {
        runner.send(&HostToAgent::FileData { data });
    }
    runner.send(&HostToAgent::CloseFile);
    let bytes = u32::try_from(text.len()).expect("short");
    runner.next(|message| assert_eq!(message, AgentToHost::FileDone { errno: 0, bytes }));
    let file = home.path().join("0/tests/0_smoke/run.sh");
    assert_eq!(file.metadata().expect("written").permissions().mode() & 0o7777, 0o755);
    assert_eq!(runner.run("0/tests/0_smoke/run.sh", 30, done).output, "received\n");
}

#[test]
fn a_path_that_leaves_the_directory_is_refused() {
    let home = home();
    let mut runner = Runner::over_pipes(&home);
    runner.send(&HostToAgent::OpenFile { path: "../escaped", mode: 0o644 });
    runner.send(&HostToAgent::FileData { data: b"x" });
    runner.send(&HostToAgent::CloseFile);
    runner.next(|message| assert_eq!(message, AgentToHost::FileDone { errno: 22, bytes: 0 }));
    assert!(!home.path().join("../escaped").exists());
}

#[test]
fn what_cannot_be_run_is_told_with_its_errno() {
    let home = home();
    home.script("run.sh", "true\n");
    let mut runner = Runner::over_pipes(&home);
    let mut refused = |run, script, shell| {
        runner.send(&HostToAgent::RunScript { run, script, shell, errexit: true, timeout_s: 30 });
        runner.next(|message| match message {
            AgentToHost::NotStarted { run: of, errno } if of == run => errno,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(refused(1, "run.sh", "/no/such/shell"), 2);
    assert_eq!(refused(2, "../run.sh", "/bin/sh"), 22);
    assert_eq!(refused(3, "run.sh", "sh"), 22);
    assert_eq!(runner.run("run.sh", 30, done).status, ExitStatus::Code(0));
}

#[test]
fn a_time_out_kills_the_whole_process_group() {
    let home = home();
    home.script("run.sh", "sleep 1000 & echo $!; wait\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 3, done);
    assert_eq!(ran.status, ExitStatus::TimedOut);
    assert_dies(ran.output.trim());
}

#[test]
fn one_script_runs_at_a_time_and_can_be_killed() {
    let home = home();
    home.script("run.sh", "sleep 1000 & echo $!; wait\n");
    let mut runner = Runner::over_pipes(&home);
    let run = runner.start("run.sh", 1000);
    let pid = runner.next(|message| match message {
        AgentToHost::Output { data, .. } => String::from_utf8_lossy(data).trim().to_owned(),
        other => panic!("{other:?}"),
    });
    let second =
        HostToAgent::RunScript { run: 99, script: "run.sh", shell: "/bin/sh", errexit: true, timeout_s: 9 };
    runner.send(&second);
    runner.next(|message| assert_eq!(message, AgentToHost::NotStarted { run: 99, errno: 16 }));
    runner.send(&HostToAgent::KillScript { run });
    runner.next(|message| assert!(matches!(message, AgentToHost::Usage { run: of, .. } if of == run)));
    runner.next(|message| assert_eq!(message, AgentToHost::Exited { run, status: ExitStatus::Killed }));
    assert_dies(&pid);
}

#[test]
fn a_lost_line_ends_the_script_and_the_agent() {
    let home = home();
    home.script("run.sh", "sleep 1000 & echo $!; wait\n");
    let mut runner = Runner::over_pipes(&home);
    runner.start("run.sh", 1000);
    let pid = runner.next(|message| match message {
        AgentToHost::Output { data, .. } => String::from_utf8_lossy(data).trim().to_owned(),
        other => panic!("{other:?}"),
    });
    assert_eq!(runner.hang_up().code(), Some(1));
    assert_dies(&pid);
}

#[test]
fn values_of_any_kind_survive_lava_send() {
    let home = home();
    home.script("run.sh", "lava-send ipv4 host-name='a > b' 'text=two\nlines = grün' empty=\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, |call| {
        let expected =
            Call::Send { id: "ipv4", data: Pairs("host-name\0a > b\0text\0two\nlines = grün\0empty\0\0") };
        assert_eq!(*call, expected);
        vec![Reply::Done]
    });
    assert_eq!((ran.status, ran.output.as_str()), (ExitStatus::Code(0), ""));
}

#[test]
fn a_wait_leaves_its_messages_in_the_cache() {
    let home = home();
    home.script(
        "run.sh",
        "lava-wait-all ipv4 guest; cat $LAVA_MULTI_NODE_CACHE; lava-wait none; ls multi* 2>/dev/null\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, |call| match call {
        Call::WaitAll { id: "ipv4", role: Some("guest") } => vec![
            Reply::Messages { lines: "guest-0:ipaddr=10.0.0.2\0guest-", more: true },
            Reply::Messages { lines: "1:note=a b > c\0", more: false },
        ],
        _ => vec![Reply::Messages { lines: "", more: false }],
    });
    assert_eq!(ran.output, "guest-0:ipaddr=10.0.0.2\nguest-1:note=a b > c\n");
    assert_eq!(ran.calls, [r#"WaitAll { id: "ipv4", role: Some("guest") }"#, r#"Wait { id: "none" }"#]);
}

#[test]
fn a_refusal_stops_the_script_and_says_why() {
    let home = home();
    home.script("run.sh", "lava-sync clients; echo not reached\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, |_| vec![Reply::Refused { reason: "guest 2 has ended" }]);
    assert_eq!((ran.status, ran.output.as_str()), (ExitStatus::Code(1), "lava-sync: guest 2 has ended\n"));
}

#[test]
fn test_cases_are_reported_and_their_commands_run() {
    let home = home();
    home.script(
        "run.sh",
        "lava-test-case 'boot time' --result pass --measurement 1.5 --units s\n\
         lava-test-case shell --shell 'echo hi; true'\n\
         lava-test-case words --shell test a = 'b c'\n\
         lava-test-case absent --shell no-such-command x\n\
         lava-test-raise 'enough'\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    let expected = [
        r#"TestCase { id: "boot time", result: "pass", measurement: Some("1.5"), units: Some("s") }"#,
        r#"TestCaseStarted { id: "shell" }"#,
        r#"TestCase { id: "shell", result: "pass", measurement: None, units: None }"#,
        r#"TestCaseStarted { id: "words" }"#,
        r#"TestCase { id: "words", result: "fail", measurement: None, units: None }"#,
        r#"TestCaseStarted { id: "absent" }"#,
        r#"TestCase { id: "absent", result: "fail", measurement: None, units: None }"#,
        r#"TestRaise { message: "enough" }"#,
    ];
    assert_eq!(ran.calls, expected);
    let (said, told) = (ran.output.as_str(), "lava-test-case: the command has ended with exit code");
    assert!(said.starts_with(&format!("hi\n{told} 1\nsh: ")) && said.contains("no-such-command"), "{said}");
    assert!(said.ends_with(&format!("{told} 127\n")), "{said}");
    assert_eq!(ran.status, ExitStatus::Code(1));
}

#[test]
fn members_of_the_group_are_listed() {
    let home = home();
    std::fs::write(home.path().join("environment"), "export LAVA_NODE_NAME='guest-1'\n").expect("writable");
    home.script("run.sh", "lava-group; lava-group host; lava-role list; lava-self; lava-role\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, |_| {
        vec![
            Reply::Members { members: Pairs("host\0host\0guest-0\0guest\0"), more: true },
            Reply::Members { members: Pairs("guest-1\0guest\0"), more: false },
        ]
    });
    let expected = "host\thost\nguest-0\tguest\nguest-1\tguest\nhost\nhost\nguest\nguest\nguest-1\nguest";
    assert_eq!(ran.output, expected);
}

#[test]
fn wrong_arguments_are_reported_to_the_runner() {
    let home = home();
    home.script("run.sh", "lava-send ipv4 novalue\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    assert_eq!(ran.calls, [r#"BadCall { helper: "lava-send", problem: "data must be KEY=VALUE" }"#]);
    assert_eq!(ran.output, "lava-send: data must be KEY=VALUE\nusage: lava-send ID [KEY=VALUE...]\n");
    assert_eq!(ran.status, ExitStatus::Code(1));
}

#[test]
fn a_helper_that_is_killed_takes_its_call_back() {
    let home = home();
    home.script(
        "run.sh",
        "lava-wait never & echo waiting; read line < fifo; kill $!; wait $! || true; sync\n",
    );
    let fifo = home.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("coreutils").success());
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, |call| {
        assert_eq!(*call, Call::Wait { id: "never" });
        // The call has arrived: now the script may kill the helper.
        std::fs::write(&fifo, "go\n").expect("the script reads");
        Vec::new()
    });
    assert_eq!(ran.status, ExitStatus::Code(0));
    let gone = ran.calls.last().is_some_and(|last| last == "gone")
        || runner.next(|message| matches!(message, AgentToHost::CallGone { .. }));
    assert!(gone);
}

#[test]
fn many_helpers_at_once_are_all_served() {
    let home = home();
    home.script("run.sh", "for n in $(seq 1 40); do lava-test-case case-$n --result pass & done; wait\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!((ran.calls.len(), ran.output.as_str()), (40, ""));
}

#[test]
fn outside_a_run_a_helper_says_what_is_missing() {
    let home = home();
    let output = Command::new(home.path().join("bin/lava-sync"))
        .arg("clients")
        .env_remove("LAVA_AGENT_SOCKET")
        .output()
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.starts_with("lava-sync: LAVA_AGENT_SOCKET is not set"), "{errors}");
}

#[test]
fn the_boards_build_does_the_same_under_emulation() {
    does_the_same("armv7");
}

#[test]
fn the_build_for_64_bit_arm_does_the_same_under_emulation() {
    does_the_same("aarch64");
}

#[test]
fn the_build_for_risc_v_does_the_same_under_emulation() {
    // `cargo xtask agent` leaves it out where no toolchain for it is at hand, and says so.
    if !built_for("riscv64").exists() {
        eprintln!("not tested: there is no agent for riscv64");
        return;
    }
    does_the_same("riscv64");
}

fn does_the_same(architecture: &'static str) {
    let home = Home::new(Build::Board(architecture));
    home.script(
        "run.sh",
        "lava-send ipv4 ipaddr=10.0.0.2; lava-test-case x --shell 'echo hi'; seq 1 2000; exit 4\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    let numbers: String = (1..=2000).map(|number| format!("{number}\n")).collect();
    assert_eq!(ran.output, format!("hi\n{numbers}"));
    assert_eq!((ran.status, ran.calls.len()), (ExitStatus::Code(4), 3));
    assert!(runner.quit().success());
}
