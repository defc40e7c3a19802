//! `host-runner boards` and `host-runner power`: what the boards of a bench are doing, and their switches.

use std::fs::File;

use rustix::process::Signal;
use serde_json::Value;
use testbench::harness::{BOARD, Definition, Finished, Job, Testbench, pseudo_terminal};

fn command(bench: &Testbench, words: &[&str]) -> Finished {
    bench.write("bench.toml", bench.to_toml());
    bench.start_with(words).finish()
}

/// What `boards --json` says of the only board.
fn board(bench: &Testbench) -> Value {
    let listed = command(bench, &["boards", "--json"]);
    assert_eq!(listed.code, Some(0), "{listed}");
    serde_json::from_str(&listed.stdout).expect("one line of JSON")
}

/// A command of a board's table that tells its power.
fn with_status(word: &str) -> Testbench {
    let bench = Testbench::new();
    let text = bench.to_toml();
    let status = format!("status = [\"echo\", \"{word}\"]\n");
    bench.bench_text(&format!("{text}{status}"))
}

#[test]
fn a_run_that_was_killed_is_remembered_as_cut_off() {
    let bench = Testbench::new();
    let run = bench.start_staying();
    assert_eq!(board(&bench)["last_run"], Value::Null, "it goes on");
    run.signal(Signal::KILL);
    run.finish();
    let free = board(&bench);
    let last = &free["last_run"];
    assert_eq!((free["state"].as_str(), &last["outcome"]), (Some("free"), &Value::Null), "{free}");
    assert_eq!(last["directory"].as_str(), bench.path().join("out").to_str(), "{free}");
    let shown = command(&bench, &["boards"]);
    assert!(shown.stdout.contains("last: job `one-board`, CUT OFF, begun 20"), "{shown}");
    std::fs::remove_dir_all(bench.path().join("out")).expect("an own directory");
    assert_eq!(bench.run(&Job::new()).code, Some(0));
    assert_eq!(board(&bench)["last_run"]["outcome"], "pass");
}

#[test]
fn a_board_is_free_or_belongs_to_a_run_that_is_named() {
    let bench = Testbench::new();
    let free = board(&bench);
    assert_eq!((free["name"].as_str(), free["state"].as_str()), (Some(BOARD), Some("free")), "{free}");
    assert_eq!(
        (&free["holder"], &free["is_on"], &free["problem"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );

    let run = bench.start_staying();
    let used = board(&bench);
    assert_eq!((used["state"].as_str(), used["holder"]["job"].as_str()), (Some("used"), Some("one-board")));
    let shown = command(&bench, &["boards"]);
    assert!(
        shown.stdout.contains("fake1  used")
            && shown.stdout.contains(&format!("by {} `one-board`", bench.run_of("out"))),
        "{shown}"
    );
    run.signal(Signal::TERM);
    assert_eq!(run.finish().code, Some(5));
    let after = board(&bench);
    assert_eq!(
        (after["state"].as_str(), after["last_run"]["outcome"].as_str()),
        (Some("free"), Some("cancelled"))
    );
    assert_eq!(after["last_run"]["directory"].as_str(), bench.path().join("out").to_str(), "{after}");
    let shown = command(&bench, &["boards"]);
    assert!(shown.stdout.contains("  last: job `one-board`, cancelled, 20"), "{shown}");
}

#[test]
fn a_console_in_the_network_is_shown_as_in_the_bench_file() {
    for console in ["tcp://127.0.0.1:9", "telnet://lab-server:2001", "tcp://[::1]:9"] {
        let bench = Testbench::new().console(&format!("\"{console}\""));
        assert_eq!(board(&bench)["console"], console);
        let shown = command(&bench, &["boards"]);
        assert!(shown.stdout.lines().any(|line| line.ends_with(&format!("  {console}"))), "{shown}");
    }
}

#[test]
fn a_serial_port_that_is_not_there_or_that_another_program_has_is_told() {
    let absent = Testbench::new().console("\"/dev/serial/by-id/usb-none\"");
    let told = board(&absent);
    assert_eq!(told["state"], "broken", "{told}");
    assert!(told["problem"].as_str().is_some_and(|text| text.contains("is absent")), "{told}");

    let (_adapter, other, name) = pseudo_terminal().expect("a pseudo-terminal");
    drop(other);
    let port = Testbench::new().console(&format!("\"{name}\""));
    assert_eq!(board(&port)["state"], "free");
    let other = File::options().read(true).write(true).open(&name).expect("a pseudo-terminal");
    let told = board(&port);
    let problem = told["problem"].as_str().unwrap_or_default();
    assert!(
        problem.contains("is busy") && problem.contains(&format!("(pid {})", std::process::id())),
        "{told}"
    );
    drop(other);
    assert_eq!(board(&port)["state"], "free");
}

#[test]
fn power_is_switched_by_the_commands_of_the_bench_file() {
    let bench = Testbench::new();
    for (action, said) in [("on", "fake1: on\n"), ("off", "fake1: off\n"), ("cycle", "fake1: reset\n")] {
        let done = command(&bench, &["power", BOARD, action]);
        assert_eq!((done.code, done.stdout.as_str()), (Some(0), said), "{done}");
    }
    assert_eq!(command(&bench, &["boards"]).power(), ["on", "off", "reset"]);
}

#[test]
fn the_power_of_a_board_that_a_run_has_is_switched_by_force_alone() {
    let bench = Testbench::new();
    let run = bench.start_staying();
    let before = command(&bench, &["boards"]).power();
    let refused = command(&bench, &["power", BOARD, "off"]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert!(
        refused.stderr.contains(&format!("is in use by {} `one-board`", bench.run_of("out"))),
        "{refused}"
    );
    assert_eq!(refused.power(), before);
    let forced = command(&bench, &["power", BOARD, "off", "--force"]);
    assert_eq!(forced.code, Some(0), "{forced}");
    assert_eq!(forced.power().last().map(String::as_str), Some("off"));
    run.wait_for("not this run, switches the board's power: power off");
    run.signal(Signal::TERM);
    run.finish();
}

#[test]
fn whether_a_board_is_on_is_told_where_the_bench_file_can() {
    for (word, is_on) in [("on", true), ("OFF", false)] {
        let bench = with_status(word);
        let told = command(&bench, &["power", BOARD, "status"]);
        assert_eq!((told.code, told.stdout), (Some(0), format!("fake1: {}\n", word.to_lowercase())));
        assert_eq!(board(&bench)["is_on"], is_on);
    }
    let broken = with_status("perhaps");
    let told = board(&broken);
    assert_eq!((&told["is_on"], told["state"].as_str()), (&Value::Null, Some("free")));
    assert!(told["problem"].as_str().is_some_and(|text| text.contains("it printed `perhaps`")), "{told}");
    let without = command(&Testbench::new(), &["power", BOARD, "status"]);
    assert_eq!(without.code, Some(4), "{without}");
    assert!(
        without.stderr.contains("add `status = [") && without.stderr.contains("[boards.fake1.power]"),
        "{without}"
    );
}

#[test]
fn a_board_that_is_not_there_is_told_with_the_one_that_was_meant() {
    let told = command(&Testbench::new(), &["power", "fake2", "on"]);
    assert_eq!(told.code, Some(2), "{told}");
    assert!(
        told.stderr.contains("there is no board `fake2`") && told.stderr.contains("did you mean `fake1`?"),
        "{told}"
    );
}

#[test]
fn runs_that_wait_get_the_board_in_the_order_in_which_they_came() {
    let bench = Testbench::new();
    let first = bench.start_staying();
    let passes = Definition::new("passes", &["lava-test-case there --result pass"]);
    bench.write("next.yaml", Job::new().definitions(&[passes]).to_yaml());
    let wait = |out: &str| bench.start_with(&["run", "next.yaml", "--out", out, "--wait"]);
    let second = wait("second");
    second.wait_for_error(&format!("waiting: board fake1 is in use by {} `one-board`", bench.run_of("out")));
    let third = wait("third");
    third.wait_for_error("waiting: another run waits for the same before this one");
    let told = board(&bench);
    let runs: Vec<_> = told["waiting"].as_array().into_iter().flatten().map(|one| &one["run"]).collect();
    let expected = ["second", "third"].map(|out| bench.path().join(out).display().to_string());
    assert_eq!(runs, expected.each_ref(), "{told}");
    assert!(told["holder"]["until"].is_string(), "{told}");
    let impatient = command(&bench, &["run", "next.yaml", "--out", "impatient"]);
    assert_eq!(impatient.code, Some(3), "{impatient}");
    assert!(
        impatient.stderr.contains(&bench.run_of("second"))
            && impatient.stderr.contains("`run --wait` waits behind it"),
        "{impatient}"
    );
    first.signal(Signal::TERM);
    assert_eq!(first.finish().code, Some(5));
    let (second, third) = (second.finish(), third.finish());
    assert_eq!((second.code, third.code), (Some(0), Some(0)), "{second}{third}");
    let started = |out: &str| {
        let text = std::fs::read_to_string(bench.path().join(out).join("results.json")).expect("results");
        serde_json::from_str::<Value>(&text).expect("JSON")["started"].to_string()
    };
    assert!(started("second") < started("third"));
    assert!(
        third.stderr.contains(&format!("waiting: board fake1 is in use by {}", bench.run_of("second"))),
        "{third}"
    );
}

#[test]
fn runs_at_the_same_time_serve_their_boards_at_one_address() {
    let (first, second) = (Testbench::new(), Testbench::new());
    let server = first.addresses().server.to_string();
    let text = second.to_toml().replace(&second.addresses().server.to_string(), &server);
    let second = second.bench_text(&text);
    let steps = ["lava-test-case there --result pass", "sleep 60"];
    let stays = first.start(&Job::new().definitions(&[Definition::new("stays", &steps)]));
    stays.wait_for("pass    there");
    let passed = second.run(&Job::new());
    assert_eq!(passed.code, Some(0), "{passed}");
    let doctor = second.start_with(&["doctor", "--json"]).finish();
    let shared = format!("UDP 69 of {server} is shared with another run of host-runner");
    assert!(doctor.stdout.contains(&shared), "{doctor}");
    stays.signal(Signal::TERM);
    assert_eq!(stays.finish().code, Some(5));
}

#[test]
fn boards_of_two_bench_files_with_a_console_in_common_exclude_each_other() {
    let first = Testbench::new();
    // A port of its own: nobody listens there, and nothing opens it.
    let shared = format!("consoles = {{ other = \"tcp://{}:9\" }}", first.addresses().board);
    let first = first.board_line(&shared);
    let second = Testbench::new().board_line(&shared);
    let run = first.start_staying();
    let refused = command(&second, &["power", BOARD, "on"]);
    assert_eq!(refused.code, Some(3), "{refused}");
    let told =
        format!("console {}:9 is in use by {} `one-board`", first.addresses().board, first.run_of("out"));
    assert!(refused.stderr.contains(&told), "{refused}");
    run.signal(Signal::TERM);
    run.finish();
    assert_eq!(command(&second, &["power", BOARD, "on"]).code, Some(0));
}

#[test]
fn a_run_that_waits_is_cancelled_and_gives_its_place_up() {
    let bench = Testbench::new();
    let stays = bench.start_staying();
    bench.write("next.yaml", Job::new().to_yaml());
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let next = bench.start_with(&["run", "next.yaml", "--out", "next", "--wait"]);
        next.wait_for_error("waiting: board fake1 is in use by run ");
        next.signal(signal);
        let next = next.finish();
        assert_eq!(next.code, Some(5), "{next}");
        assert!(
            next.stderr.contains("cancelled error: leases\n  cancelled while it waited: board"),
            "{next}"
        );
        assert_eq!(board(&bench)["waiting"], Value::Array(Vec::new()));
    }
    stays.signal(Signal::TERM);
    stays.finish();
}

/// A bench with a second board, both with these commands that tell their power.
fn with_two(first: &str, second: &str) -> Testbench {
    let bench = Testbench::new();
    let other = format!(
        "\n[boards.other]\ntype = \"board-type.toml\"\nconsole = \"none\"\n[boards.other.power]\n\
        on = [\"true\"]\noff = [\"true\"]\nstatus = {second}\n"
    );
    let toml = format!("{}status = {first}\n{other}", bench.to_toml());
    bench.bench_text(&toml)
}

#[test]
fn a_switch_that_is_dead_holds_up_nobody() {
    let bench = with_two("[\"sleep\", \"60\"]", "[\"echo\", \"on\"]");
    let listed = command(&bench, &["boards"]);
    assert_eq!(listed.code, Some(0), "{listed}");
    let rows: Vec<&str> = listed.stdout.lines().collect();
    assert!(rows.first().is_some_and(|row| row.starts_with("board  state   power")), "{listed}");
    let silent = "  whether it is on is not known: nothing was told for 4 s";
    assert!(rows.iter().any(|row| row.ends_with(silent)), "it is given up before its 10 s: {listed}");
    assert!(
        rows.last().is_some_and(|row| row.starts_with("other  free    on     beaglebone-black")),
        "{listed}"
    );
}

#[test]
fn what_is_known_is_printed_before_the_last_switch_has_answered() {
    let bench = with_two(
        "[\"echo\", \"off\"]",
        "[\"sh\", \"-c\", \"until [ -e go ]; do sleep 0.02; done; echo on\"]",
    );
    bench.write("bench.toml", bench.to_toml());
    let listing = bench.start_with(&["boards", "--json"]);
    listing.wait_for("\"name\":\"fake1\"");
    bench.write("go", "");
    let listed = listing.finish();
    let told: Vec<Value> =
        listed.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let states: Vec<_> = told.iter().map(|told| (told["name"].as_str(), told["is_on"].as_bool())).collect();
    assert_eq!(states, [(Some(BOARD), Some(false)), (Some("other"), Some(true))], "{listed}");
}
