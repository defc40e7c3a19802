//! `host-runner replay`: a stored run in its own time, and its board for the same job once more.

use std::fmt::Write as _;
use std::fs;

use rustix::process::Signal;
use serde_json::json;
use testbench::harness::{Job, NODE, Running, Testbench};

/// Everything of it is typed into the boot loader, so that nothing but the console is needed.
const IN_UBOOT: &str = r#"job_name: typed into U-Boot
device_type: fake-board
visibility: public
priority: medium
timeouts: {job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}}
actions:
- boot:
    method: bootloader
    bootloader: u-boot
    commands: ['setenv ipaddr 10.0.0.2']
    prompts: ['=>']
- test:
    interactive:
    - name: network
      prompts: ['=> ']
      script:
      - name: address
        command: printenv ipaddr
        successes: [{message: 'ipaddr=(?P<addr>[0-9.]+)'}]
      - name: used
        command: echo it is {addr}
        successes: [{message: 'it is 10\.0\.0\.2'}]
"#;

#[test]
fn events_that_are_missing_in_between_are_told_and_the_rest_is_shown() {
    let bench = Testbench::new();
    assert_eq!(bench.run(&Job::new()).code, Some(0));
    let path = bench.path().join("out/run.jsonl");
    let whole = fs::read_to_string(&path).expect("a stored run");
    let rest: String = whole
        .split_inclusive('\n')
        .enumerate()
        .filter(|(line, _)| !(10..13).contains(line))
        .map(|(_, text)| text)
        .collect();
    fs::write(&path, rest).expect("an own file");
    let shown = bench.start_with(&["replay", "out", "--out", "again"]).finish();
    assert_eq!(shown.code, Some(3), "{shown}");
    assert!(shown.stderr.contains("3 events are missing in between"), "{shown}");
    assert!(shown.stdout.contains("one-board") && bench.path().join("again/junit.xml").exists(), "{shown}");
}

/// A stored run of twenty nodes that boot for an hour.
fn long_run(bench: &Testbench) {
    let names: Vec<_> = (0..20).map(|number| format!("node-{number:02}")).collect();
    let mut text = String::new();
    let mut seq = 0;
    let mut add = |elapsed: u32, node: Option<&str>, rest: serde_json::Value| {
        let mut event = json!({"seq": seq, "at": "2026-01-02T03:04:05Z", "elapsed_s": elapsed});
        let fields = rest.as_object().expect("an object").clone();
        event.as_object_mut().expect("an object").extend(fields);
        if let Some(node) = node {
            event["node"] = node.into();
        }
        let _ = writeln!(text, "{event}");
        seq += 1;
    };
    let nodes: Vec<_> = names.iter().map(|name| json!({"name": name, "role": "r", "board": "b"})).collect();
    add(0, None, json!({"event": "run-started", "job": "long", "version": "0", "nodes": nodes}));
    for name in &names {
        add(1, Some(name), json!({"event": "phase-started", "phase": "boot-u-boot", "timeout_s": 7200.0}));
    }
    add(2, Some(&names[0]), json!({"event": "note", "text": "it has begun"}));
    for name in &names {
        add(
            3600,
            Some(name),
            json!({"event": "phase-finished", "phase": "boot-u-boot", "seconds": 3599.0, "outcome": "pass"}),
        );
        add(3600, Some(name), json!({"event": "node-finished", "outcome": "pass"}));
    }
    add(3600, None, json!({"event": "run-finished", "outcome": "pass"}));
    fs::create_dir(bench.path().join("long")).expect("an own directory");
    bench.write("long/run.jsonl", text);
}

#[test]
fn a_run_of_many_nodes_is_seen_again_in_its_own_time_and_ctrl_c_ends_that() {
    let bench = Testbench::new();
    long_run(&bench);
    let mut replay = bench.start_on_terminal(&["replay", "long", "--speed", "1"], 24, 80);
    let rows = replay.wait_for("twenty nodes", |rows| {
        rows.iter().any(|row| row.contains("it has begun")) && rows.iter().any(|row| row == "… 5 more")
    });
    assert_eq!(rows.iter().filter(|row| row.contains(" boot-u-boot 0:0")).count(), 15, "{rows:#?}");
    replay.press_ctrl_c();
    let (code, rows) = replay.finish();
    assert_eq!(code, Some(5), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.contains("boot-u-boot 0:")), "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("the replay was stopped")), "{rows:#?}");
}

#[test]
fn a_run_goes_as_fast_as_asked_and_a_part_of_it_is_shown_alone() {
    let bench = Testbench::new();
    long_run(&bench);
    let fast = bench.start_with(&["replay", "long", "--speed", "100000"]).finish();
    let at_once = bench.start_with(&["replay", "long"]).finish();
    assert_eq!((fast.code, &fast.stdout), (Some(0), &at_once.stdout), "{fast}");
    let late = bench.start_with(&["replay", "long", "--from", "2"]).finish();
    assert!(late.code == Some(0) && !late.stdout.contains("at most"), "{late}");
    assert!(late.stdout.contains("it has begun") && late.stdout.contains("boot-u-boot pass"), "{late}");
    let early = bench.start_with(&["replay", "long", "--from", "boot-u-boot", "--until", "2.5"]).finish();
    assert!(early.code == Some(0) && early.stdout.contains("it has begun"), "{early}");
    assert!(!early.stdout.contains("boot-u-boot pass") && !early.stdout.contains("pass long"), "{early}");
    let wrong = bench.start_with(&["replay", "long", "--until", "test-0"]).finish();
    assert!(wrong.code == Some(2) && wrong.stderr.contains("its phases are `boot-u-boot`"), "{wrong}");
    for (words, said) in [
        (["--from", "99999", "--until", "99999"], "the run has ended after "),
        (["--from", "2", "--until", "1"], "ends before it begins"),
        (["--from", "15s", "--until", "20"], "a moment is a number of seconds"),
    ] {
        let empty = bench.start_with(&[&["replay", "long"][..], &words].concat()).finish();
        assert!(empty.code == Some(2) && empty.stderr.contains(said), "{empty}");
    }
    let slow = bench.start_with(&["replay", "long", "--speed", "0"]).finish();
    assert!(slow.code == Some(2) && slow.stderr.contains("from 0.001 to 1000000"), "{slow}");
}

#[test]
fn a_part_begins_and_ends_with_its_phase_though_others_have_the_same_time() {
    let bench = Testbench::new();
    assert_eq!(bench.run(&Job::new()).code, Some(0));
    let part =
        bench.start_with(&["replay", "out", "--from", "boot-u-boot", "--until", "boot-u-boot"]).finish();
    assert!(part.code == Some(0) && part.stdout.contains("boot-u-boot pass"), "{part}");
    assert!(!part.stdout.contains("deploy-tftp") && !part.stdout.contains("test-0"), "{part}");
}

/// A recorded run, its board on a port, and a bench whose board's console is that port.
fn played() -> (Testbench, Running, Testbench) {
    let recorded = Testbench::new();
    let run = recorded.start_text(IN_UBOOT).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let words = ["replay", "out", "--console", NODE, "--listen", "tcp://127.0.0.1:0"];
    let board = recorded.start_with(&words);
    board.wait_for("console of board: tcp://127.0.0.1:");
    let printed = board.printed();
    let address = printed.trim_end().rsplit(' ').next().expect("it was printed").to_owned();
    let bench = Testbench::new().console(&format!("{address:?}"));
    (recorded, board, bench)
}

#[test]
fn a_job_runs_again_on_the_console_that_was_recorded_of_it() {
    let (_recorded, board, bench) = played();
    let run = bench.start_text(IN_UBOOT).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stdout.contains("pass    address") && run.stdout.contains("pass    used"), "{run}");
    assert!(run.file("console/board.log").contains("U-Boot 2023.01"), "{run}");
    let board = board.finish();
    assert_eq!(board.code, Some(0), "{board}");
}

#[test]
fn what_is_typed_differently_is_told() {
    let (_recorded, board, bench) = played();
    let run = bench.start_text(&IN_UBOOT.replace("printenv ipaddr", "printenv board")).finish();
    assert_ne!(run.code, Some(0), "{run}");
    let board = board.finish();
    assert_eq!(board.code, Some(1), "{board}");
    assert!(board.stderr.contains("where the recording has `"), "{board}");
}

#[test]
fn a_console_that_was_not_recorded_is_told_and_ctrl_c_ends_one_that_nobody_wants() {
    let (recorded, board, _bench) = played();
    board.signal(Signal::INT);
    let board = board.finish();
    assert!(board.code == Some(5) && board.stderr.contains("the replay was stopped"), "{board}");
    let listen = ["--listen", "tcp://127.0.0.1:0"];
    let absent =
        recorded.start_with(&[&["replay", "out", "--console", "guest"][..], &listen].concat()).finish();
    assert!(absent.code == Some(2) && absent.stderr.contains("its nodes are `board`"), "{absent}");
    let alone = recorded.start_with(&["replay", "out", "--console", NODE]).finish();
    assert!(alone.code == Some(2) && alone.stderr.contains("--listen"), "{alone}");
}
