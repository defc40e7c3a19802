//! What commands do, and what all switches share.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use super::{Change, Duration, MODELS, Power, PowerCommands, Switch};
use crate::board::Bench;
use crate::board::bench_file::DRIVERS;
use crate::diagnostic::Source;
use crate::fault::{Chain, Class};

/// One command.
fn shell(script: &str) -> Vec<Vec<String>> {
    vec![["sh", "-c", script].map(str::to_owned).to_vec()]
}

const LIMIT: Duration = Duration::from_secs(20);

async fn off(script: &str, limit: Duration) -> Result<(), String> {
    let power = PowerCommands { off: shell(script), ..PowerCommands::default() };
    Power::from(power).off(limit, &|_| {}).await.map_err(|error| Chain(&error).to_string())
}

#[tokio::test]
async fn a_command_that_succeeds_is_silent() {
    off("echo noise; exit 0", LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_failing_command_is_told_with_status_and_last_lines() {
    let text = off("for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3", LIMIT).await.unwrap_err();
    assert!(text.starts_with("power off command `sh -c for i"), "{text}");
    assert!(
        text.ends_with(": it failed with exit status: 3; it printed: line 3\nline 4\nline 5\nline 6\nline 7"),
        "{text}"
    );
}

#[tokio::test]
async fn a_failing_command_without_errors_is_told_with_its_output() {
    let error = off("echo no such outlet; exit 1", LIMIT).await.unwrap_err();
    assert!(error.ends_with("it printed: no such outlet"), "{error}");
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_its_children() {
    let (reader, writer) = io::pipe().unwrap();
    // The child keeps the far end of the pipe open until it dies.
    let far_end = format!("/proc/{}/fd/{}", std::process::id(), writer.as_raw_fd());
    let script = format!("sleep 1000 >&2 2>{far_end} & echo dialling; wait");
    let error = off(&script, Duration::from_secs(5)).await.unwrap_err();
    assert!(error.ends_with("did not end within 5s; it printed: dialling"), "{error}");
    drop(writer);
    assert_eq!(io::read_to_string(reader).unwrap(), "");
}

#[tokio::test]
async fn a_daemon_left_behind_does_not_hold_up_the_command() {
    // The daemon ends with the writer, at the end of the test.
    let (reader, _writer) = io::pipe().unwrap();
    let input = format!("/proc/{}/fd/{}", std::process::id(), reader.as_raw_fd());
    off(&format!("cat {input} & exit 0"), LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_missing_program_is_the_benchs_fault() {
    let power =
        PowerCommands { reset: vec![vec!["no-such-program".into(), "1".into()]], ..PowerCommands::default() };
    let error = Power::from(power).reset(LIMIT, &|_| {}).await.unwrap_err();
    let text = Chain(&error).to_string();
    let begin = "reset command `no-such-program 1` did not work: it cannot be run: No such file";
    assert!(text.starts_with(begin), "{text}");
    assert_eq!(error.class(), Class::Bench);
}

#[tokio::test]
async fn reset_without_a_command_is_off_and_on() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut power = PowerCommands {
        on: shell(&format!("echo on >> {}", log.display())),
        off: shell(&format!("echo off >> {}", log.display())),
        ..PowerCommands::default()
    };
    Power::from(power.clone()).reset(LIMIT, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "off\non\n");
    power.reset = shell(&format!("echo reset > {}", log.display()));
    Power::from(power).reset(LIMIT, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "reset\n");
}

#[tokio::test]
async fn several_commands_run_in_their_order_up_to_the_first_that_fails() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let say = |text: &str| shell(&format!("echo {text} >> {}", log.display()));
    let off = [say("relay"), say("hub"), shell("exit 3"), say("never")].concat();
    let power = PowerCommands { off, ..PowerCommands::default() };
    let error = Power::from(power).off(LIMIT, &|_| {}).await.unwrap_err();
    assert_eq!(error.by, "command `sh -c exit 3`");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "relay\nhub\n");
}

#[tokio::test]
async fn a_status_is_the_last_line_of_what_the_command_prints() {
    let status = async |script: &str| {
        let status = shell(script).pop();
        let power = PowerCommands { status, ..PowerCommands::default() };
        Power::from(power).status(LIMIT).await.map_err(|error| Chain(&error).to_string())
    };
    assert_eq!(status("echo asking; echo On").await, Ok(Some(true)));
    assert_eq!(status("echo off").await, Ok(Some(false)));
    let told =
        "power status command `sh -c echo maybe` did not work: it printed `maybe` and not `on` or `off`";
    assert_eq!(status("echo maybe").await, Err(told.to_owned()));
    assert_eq!(Power::from(PowerCommands::default()).status(LIMIT).await.unwrap(), None);
}

#[tokio::test]
async fn commands_that_have_not_switched_are_found_by_the_status() {
    let directory = tempfile::tempdir().unwrap();
    let outlet = directory.path().join("outlet");
    let is = |state: &str| std::fs::write(&outlet, state).unwrap();
    let power = |on: &str| {
        let switch = |state: &str| shell(&format!("echo {state} > {}", outlet.display()));
        let commands = PowerCommands {
            on: switch(on),
            off: shell("true"),
            reset: shell("true"),
            status: shell(&format!("cat {}", outlet.display())).pop(),
        };
        Power::from(commands)
    };
    let limit = Duration::from_secs(1);
    is("on");
    let told = Chain(&power("on").off(limit, &|_| {}).await.unwrap_err()).to_string();
    assert!(told.starts_with("power off by commands did not work: it took the order"), "{told}");
    assert!(told.ends_with("it says that it is still on"), "{told}");
    is("off");
    let told = Chain(&power("off").on(limit, &|_| {}).await.unwrap_err()).to_string();
    assert!(told.ends_with("it says that it is still off"), "{told}");
    let told = Chain(&power("on").reset(limit, &|_| {}).await.unwrap_err()).to_string();
    assert!(told.starts_with("reset by commands") && told.ends_with("still off"), "{told}");
    power("on").on(LIMIT, &|_| {}).await.unwrap();
    power("perhaps").on(limit, &|_| {}).await.unwrap_err();
}

#[tokio::test]
async fn a_board_that_cannot_be_switched_off_stays_on() {
    let power = PowerCommands { reset: shell("exit 1"), ..PowerCommands::default() };
    Power::from(power).off(LIMIT, &|_| {}).await.unwrap();
}

/// `docs/power.md`, and its examples in the order of the page.
fn page() -> (&'static str, Vec<&'static str>) {
    let page = include_str!("../../../../docs/power.md");
    let examples = page.split("```toml\n").skip(1);
    (page, examples.filter_map(|rest| rest.split("```").next()).collect())
}

/// What the bench file makes of a board with the lines `power`.
fn power(power: &str) -> Power {
    let board = "[boards.bbb1]\ntype = \"beaglebone-black\"\nconsole = \"/dev/ttyUSB0\"\n";
    let source = Source::new("bench.toml", format!("{board}{power}"));
    let bench = Bench::parse(&source, Path::new("/bench")).unwrap_or_else(|error| panic!("{power}\n{error}"));
    bench.boards[0].power.clone().unwrap()
}

#[test]
fn the_examples_of_the_page_are_right_and_every_driver_has_one() {
    let (page, examples) = page();
    let powers: Vec<_> = examples.iter().map(|example| power(example)).collect();
    assert!(powers.iter().all(|power| power.can(Switch::Reset)));
    for (driver, _) in DRIVERS {
        let line = format!("driver = \"{driver}\"");
        assert!(examples.iter().any(|example| example.contains(&line)), "no example of {driver}");
        assert!(page.contains(&format!("\n| `{driver}` | ")), "{driver} is in no table");
    }
    assert!(powers.iter().any(|power| power.commands().is_some()));
}

#[test]
fn the_page_has_every_model_of_a_power_switch() {
    let (page, _) = page();
    for model in &MODELS {
        assert!(page.contains(&format!("\n| `{}` | ", model.name)), "{}", model.name);
    }
}

#[test]
fn a_switch_says_what_it_can_do() {
    let can = |lines: &str| {
        let power = power(&format!("[boards.bbb1.power]\n{lines}"));
        [Switch::On, Switch::Off, Switch::Reset, Switch::Status].map(|switch| power.can(switch))
    };
    assert_eq!(can("reset = ['relay', 'pulse']"), [false, false, true, false]);
    assert_eq!(can("on = ['a']\noff = ['b']\nstatus = ['c']"), [true; 4]);
    assert_eq!(can("driver = 'uhubctl'\nlocation = '1-1'\nport = 1"), [true; 4]);
    assert_eq!(can("driver = 'tasmota'\nhost = 'plug'"), [true; 4]);
    assert_eq!(can("driver = 'gpio'\nline = 'POWER'"), [true, true, true, false]);
    assert_eq!(can("driver = 'gpio'\nline = 'RESET'\npulse_ms = 1"), [false, false, true, false]);
    assert_eq!(can("driver = 'ask'"), [true, true, true, false]);
}

#[test]
fn a_reset_is_what_the_bench_file_has_for_it() {
    let is = |lines: &str| power(&format!("[boards.bbb1.power]\n{lines}")).reset_is();
    let outlet = "driver = 'snmp'\nhost = 'pdu'\ncommunity = 'a'\nmodel = 'apc-rpdu'\noutlet = 1";
    for (lines, change) in [
        ("on = ['a']\noff = ['b']\nreset = ['c']", Change::Reset),
        ("on = ['a']\noff = ['b']", Change::Cycle),
        (outlet, Change::Reset),
        (&format!("{outlet}\noff_s = 5"), Change::Cycle),
        ("driver = 'gpio'\nline = 'POWER'", Change::Cycle),
        ("driver = 'gpio'\nline = 'RESET'\npulse_ms = 1", Change::Reset),
        ("driver = 'tasmota'\nhost = 'plug'", Change::Cycle),
        ("driver = 'ask'", Change::Reset),
    ] {
        assert_eq!(is(lines), change, "{lines}");
    }
    let power = power("[boards.bbb1.power]\nreset = ['a']");
    assert_eq!((power.words(Switch::Reset), Change::Reset.done()), ("reset".to_owned(), "reset"));
    assert_eq!(Change::Cycle.to_string(), "power off and on");
}

#[test]
fn boards_of_one_switch_are_asked_one_after_the_other() {
    let asked_of = |lines: &str| power(&format!("[boards.bbb1.power]\n{lines}")).asked_of();
    let pdu = "driver = 'snmp'\nhost = 'pdu'\ncommunity = 'a'\nmodel = 'apc-rpdu'\noutlet = ";
    assert_eq!(asked_of(&format!("{pdu}1")), asked_of(&format!("{pdu}2")));
    assert_eq!(asked_of("driver = 'shelly'\nhost = 'plug'").as_deref(), Some("plug"));
    assert_eq!(asked_of("on = ['a']\noff = ['b']\nstatus = ['relay', 'state']").as_deref(), Some("relay"));
    assert_eq!(asked_of("driver = 'ask'"), None);
}

#[test]
fn no_secret_is_shown_with_the_bench() {
    let pdu = power(
        "[boards.bbb1.power]\ndriver = 'snmp'\nhost = 'pdu'\ncommunity = 'hunter2'\nmodel = 'apc-rpdu'\noutlet = 1",
    );
    let plug = power("[boards.bbb1.power]\ndriver = 'shelly'\nhost = 'plug'\npassword = 'hunter2'");
    assert!(!format!("{pdu:?} {plug:?}").contains("hunter2"));
}
