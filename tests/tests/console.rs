//! `host-runner console`, and `run --keep-on`: a person at a board.

use std::fs::File;
use std::io::{Read as _, Write as _};

use rustix::process::Signal;
use testbench::harness::{Definition, Job, OnTerminal, Testbench, pseudo_terminal};

/// The escape key.
const ESCAPE: &str = "\x14";

/// A person at the console of the bench's board.
fn at_console(bench: &Testbench, more: &[&str]) -> OnTerminal {
    bench.write("bench.toml", bench.to_toml());
    // Wide enough for every line.
    bench.start_on_terminal(&[&["console", "fake1"], more].concat(), 50, 250)
}

#[test]
fn a_person_stops_autoboot_types_to_u_boot_and_leaves() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &["--log", "boot.log"]);
    person.sees("console of fake1; Ctrl-T ? helps");
    person.sees("Hit any key to stop autoboot");
    person.types(" ");
    person.sees("=>");
    person.types("printenv board\r");
    person.sees("board=fake");
    person.types(&format!("{ESCAPE}?"));
    person.sees("Ctrl-T b  send a break");
    person.types(&format!("{ESCAPE}m"));
    person.sees("mark 1, 20");
    person.types(&format!("{ESCAPE}z"));
    person.sees("Ctrl-T z means nothing");
    person.types(&format!("{ESCAPE}q"));
    let (code, shown) = person.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
    let log = std::fs::read_to_string(bench.path().join("boot.log")).expect("it was written");
    assert!(log.contains("Hit any key") && log.contains("\n[mark 1, 20") && !log.contains("helps"), "{log}");
}

#[test]
fn power_is_switched_from_the_console() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &[]);
    for (key, told) in [("p", "reset: done"), ("x", "power off: done"), ("o", "power on: done")] {
        person.types(&format!("{ESCAPE}{key}"));
        person.sees(told);
    }
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
    let switched = std::fs::read_to_string(bench.path().join("power.log")).expect("it was switched");
    assert_eq!(switched, "reset\noff\non\n");
}

#[test]
fn a_serial_port_takes_breaks_and_files_and_its_loss_is_told() {
    let (adapter, other, path) = pseudo_terminal().expect("a pseudo-terminal");
    drop(other);
    let bench = Testbench::new().console(&format!("\"{path}\""));
    let mut board = File::from(adapter);
    let mut person = at_console(&bench, &["--escape", "ctrl-a"]);
    person.sees("console of fake1; Ctrl-A ? helps");
    board.write_all(b"login: ").expect("the line is open");
    person.sees("login:");
    person.types("\x01b");
    person.sees("break sent");
    let content: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
    bench.write("image", &content);
    person.types("\x01fnowhere\r");
    person.sees("nowhere is not sent: No such file");
    person.types("\x01fimage\r");
    person.sees("sending 80000 bytes");
    let mut came = vec![0; content.len()];
    board.read_exact(&mut came).expect("the line is open");
    assert!(came == content, "the file arrives as it is");
    person.sees("the file is sent");
    person.types("\x01q");
    assert_eq!(person.finish().0, Some(0));
}

#[test]
fn a_run_is_watched_typed_into_on_request_and_followed_by_ones_own_console() {
    let bench = Testbench::new();
    let stays = Definition::new("stays", &["lava-test-case there --result pass", "sleep 60"]);
    let run = bench.start(&Job::new().definitions(&[stays]));
    run.wait_for("pass    there");
    let mut person = at_console(&bench, &[]);
    person.sees("console of fake1, which run out of job `one-board`");
    // What came before.
    person.sees("root@debian");
    person.types("x");
    person.sees("a run has the board: Ctrl-T t to type all the same");
    person.types(&format!("{ESCAPE}b"));
    person.sees("only whoever has the board can send a break");
    person.types(&format!("{ESCAPE}t"));
    person.sees("keys are for the board now");
    person.types("hello");
    run.wait_for("somebody who is attached to the console types on it");
    run.signal(Signal::TERM);
    let finished = run.finish();
    assert_eq!(finished.code, Some(5), "{finished}");
    person.sees("the run has ended");
    person.sees("console of fake1; Ctrl-T ? helps");
    person.types(&format!("{ESCAPE}q"));
    let (code, shown) = person.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
}

#[test]
fn two_people_share_a_console() {
    let bench = Testbench::new();
    let mut first = at_console(&bench, &[]);
    first.sees("Hit any key to stop autoboot");
    first.types(" ");
    first.sees("=>");
    let mut second = at_console(&bench, &[]);
    second.sees("console of fake1, which `host-runner console`");
    second.types(&format!("{ESCAPE}t"));
    second.sees("keys are for the board now");
    second.types("printenv board\r");
    first.sees("board=fake");
    second.sees("board=fake");
    first.types(&format!("{ESCAPE}q"));
    assert_eq!(first.finish().0, Some(0));
    second.sees("console of fake1; Ctrl-T ? helps");
    second.types(&format!("{ESCAPE}q"));
    assert_eq!(second.finish().0, Some(0));
}

#[test]
fn a_console_that_cannot_be_had_is_told_before_anything_else() {
    let bench = Testbench::new().console("\"/dev/serial/by-id/usb-none\"");
    bench.write("bench.toml", bench.to_toml());
    let absent = bench.start_with(&["console", "fake1"]).finish();
    assert_eq!(absent.code, Some(3), "{absent}");
    assert!(absent.stderr.contains("is absent"), "{absent}");
    let misspelt = bench.start_with(&["console", "fake2"]).finish();
    assert_eq!(misspelt.code, Some(2), "{misspelt}");
    assert!(misspelt.stderr.contains("did you mean `fake1`?"), "{misspelt}");
}

#[test]
fn without_a_terminal_only_the_boards_words_are_on_standard_output() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let shown = bench.start_with(&["console", "fake1", "--exit-after", "2"]).finish();
    assert_eq!(shown.code, Some(0), "{shown}");
    assert!(shown.stdout.contains("U-Boot") && !shown.stdout.contains("console of"), "{shown}");
    assert!(shown.stderr.contains("[console of fake1"), "{shown}");
}

#[test]
fn a_board_whose_job_failed_stays_on_for_a_person_until_the_run_is_stopped() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let fails = Definition::new("fails", &["lava-test-case broken --result fail"]);
    bench.write("job.yaml", Job::new().definitions(&[fails]).to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-on"]);
    run.wait_for("board `fake1` stays on for 60 min: `host-runner console fake1`");
    let mut person = at_console(&bench, &[]);
    person.sees("console of fake1, which run out of job");
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
    person.sees("console of fake1, which run out of job");
    person.sees("Hit any key to stop autoboot");
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
    run.signal(Signal::INT);
    let finished = run.finish();
    assert_eq!(finished.code, Some(3), "{finished}");
}
