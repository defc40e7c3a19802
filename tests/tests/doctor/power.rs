//! Whether the power of a board switches: what a run uses is tried, and what does nothing is found.

use std::fs;

use testbench::fake_relay::{FakeRelay, Kind};
use testbench::harness::{BOARD, Outlet, Testbench, on_outlet, pseudo_terminal};

use super::{Found, doctor};

/// The commands `power` without the one called `key`.
fn without(power: &str, key: &str) -> String {
    power
        .lines()
        .filter(|line| !line.starts_with(&format!("{key} ")))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// What is found of a board, off at first, whose power commands are as `change` spoils them.
///
/// Then whether it is on.
fn spoilt(change: impl Fn(String) -> String, arguments: &[&str]) -> (Found, bool) {
    let (bench, outlet) = on_outlet(Testbench::new(), change);
    let found = doctor(&bench, &[&[BOARD], arguments].concat());
    (found, outlet.is_on().expect("a file"))
}

#[test]
fn an_off_that_does_nothing_is_found_by_a_board_that_still_answers() {
    let change = |power: String| without(&without(&power, "off"), "status") + "off = [\"true\"]\n";
    let (found, is_on) = spoilt(change, &[]);
    let said = [
        "the power does not switch",
        "after it was switched off the board answers the Enter key",
        "`[boards.fake1.power]`",
    ];
    found.assert_fault("power-off", "infrastructure", &said);
    assert!(is_on);
}

#[test]
fn an_off_that_does_nothing_is_found_by_the_status() {
    let (found, _) = spoilt(
        |power| without(&power, "off") + "off = [\"true\"]\nreset = [\"sh\", \"-c\", \"echo on > outlet\"]\n",
        &[],
    );
    let said =
        ["power off by commands did not work", "5 s later it says that it is still on", "the same outlet?"];
    found.assert_fault("power-off", "infrastructure", &said);
}

#[test]
fn an_on_that_does_nothing_is_found_by_the_status() {
    let (found, _) = spoilt(|power| power.replace("echo on", "echo off"), &[]);
    found.assert_fault("reset", "infrastructure", &["power on by commands did not work", "it is still off"]);
}

#[test]
fn a_reset_that_runs_would_use_is_tried_and_not_the_switching_on() {
    let fails = |power: String| power + "reset = [\"sh\", \"-c\", \"echo no such outlet >&2; exit 3\"]\n";
    let (found, is_on) = spoilt(fails, &[]);
    found.assert_fault("reset", "infrastructure", &["it failed with exit status: 3", "no such outlet"]);
    assert!(!is_on);
    // Another outlet's: it succeeds, and the board stays as it is.
    let (found, _) = spoilt(|power| without(&power, "status") + "reset = [\"true\"]\n", &["--timeout", "2"]);
    found.assert_fault("power-on", "infrastructure", &["the board is silent", "within 2 s of the reset"]);
    let (found, _) = spoilt(|power| power + "reset = [\"true\"]\n", &[]);
    found.assert_fault("reset", "infrastructure", &["5 s later it says that it is still off"]);
}

#[test]
fn a_board_that_can_only_be_reset_stays_on() {
    let reset = |power: String| {
        without(&without(&without(&power, "on"), "off"), "status")
            + "reset = [\"sh\", \"-c\", \"echo on > outlet\"]\n"
    };
    let (found, is_on) = spoilt(reset, &[]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    found.assert_says("power-off", &["it stays on after runs"]);
    assert!(is_on);
}

/// A bench whose board a person switches, on an outlet that is off.
fn by_hand(power: &str) -> (Testbench, Outlet) {
    let (bench, outlet) = on_outlet(Testbench::new(), |_| String::new());
    let text = bench.to_toml().replace("[boards.fake1.power]\n", power);
    (bench.bench_text(&text), outlet)
}

const ASK: &str = "[boards.fake1.power]\ndriver = \"ask\"\n";

#[test]
fn a_board_that_nobody_is_there_to_switch_is_not_waited_for() {
    let (bench, _outlet) = by_hand(ASK);
    // A minute is longer than a test may take to end.
    let found = doctor(&bench, &[BOARD]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    found.assert_says("reset", &["standard input is no terminal", "start it from a terminal"]);
    assert_eq!(
        found.ok("programs"),
        "none: whoever starts a run is asked to switch its power, and the run waits for that"
    );
    assert!(!found.all.contains("power-on"), "{}", found.all);
}

#[test]
fn a_person_is_asked_to_switch_the_board() {
    let (bench, _outlet) = by_hand(ASK);
    bench.write("bench.toml", bench.to_toml());
    let (person, terminal, _) = pseudo_terminal().expect("a pseudo-terminal");
    let running = bench.start_with_input(&["doctor", "--json", BOARD], terminal);
    running.wait_for_error("reset board `fake1`, or switch it off and on, then press Enter");
    fs::write(bench.path().join("outlet"), "on").expect("an own file");
    rustix::io::write(&person, b"\n").expect("a pseudo-terminal");
    let found = Found::of(&running.finish());
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    assert_eq!(found.ok("reset"), "by hand");
    assert!(found.ok("tftp").contains("arrived whole"), "{}", found.all);
}

#[test]
fn a_board_without_a_switch_that_nobody_switches_is_unknown() {
    let (bench, _outlet) = by_hand("");
    let found = doctor(&bench, &[BOARD, "--timeout", "2"]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    found.assert_says("reset", &["switch the board on or reset it now"]);
    found.assert_says("power-on", &["was the board switched on"]);
}

#[test]
fn a_switch_on_the_network_is_asked_for_its_state_without_a_board_being_named() {
    let relay = FakeRelay::start(Kind::Tasmota, None, None);
    let driver = format!(
        "[boards.fake1.power]\ndriver = \"tasmota\"\nhost = \"127.0.0.1\"\nport = {}\n",
        relay.port()
    );
    let (bench, _outlet) = by_hand(&driver);
    let found = doctor(&bench, &[]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    assert!(found.ok("power").ends_with(": it is off"), "{}", found.all);
    assert!(found.ok("programs").starts_with("none: its power is switched by Tasmota"), "{}", found.all);
    drop(relay);
    let found = doctor(&bench, &[]);
    found.assert_fault("power", "infrastructure", &["127.0.0.1"]);
}
