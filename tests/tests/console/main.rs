//! `host-runner console`, and `run --keep-on`: a person at a board.

mod keep_on;
mod questions;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use host_runner::board::lease::Key;
use protocol::frame::START;
use rustix::process::Signal;
use testbench::harness::{Job, NODE, OnTerminal, Running, Testbench, pseudo_terminal};

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
    let run = bench.start_staying();
    let mut person = at_console(&bench, &[]);
    person.sees(&format!("console of fake1, which {} `one-board`", bench.run_of("out")));
    // What came before.
    person.sees("root@debian");
    person.types("x");
    person.sees("somebody else has the board: Ctrl-T t to type all the same");
    person.types(&format!("{ESCAPE}b"));
    person.sees(
        "no break was sent: a console by command has no break: the keys by which its program sends one",
    );
    person.types(&format!("{ESCAPE}w"));
    person.sees("has the board; attached: process ");
    person.types(&format!("{ESCAPE}t"));
    person.sees("keys are for the board now");
    person.types("hello");
    run.wait_for("somebody who is attached to the console types on it");
    person.sees("[the agent has the console while test definitions run: it throws keys away]");
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

/// A run of a job that stays on its board, from the file `next.yaml`.
fn start_next(bench: &Testbench, more: &[&str]) -> Running {
    bench.write("next.yaml", Job::staying().to_yaml());
    bench.start_with(&[&["run", "next.yaml"], more].concat())
}

/// The last row that has `text`.
fn last(rows: &[String], text: &str) -> Option<usize> {
    rows.iter().rposition(|row| row.contains(text))
}

#[test]
fn an_open_console_gives_its_board_to_a_run_watches_it_and_has_the_board_back() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &[]);
    person.sees("Hit any key to stop autoboot");
    let run = bench.start(&Job::staying());
    person.sees(&format!("{} `one-board` (process ", bench.run_of("out")));
    person.sees(") takes the board");
    run.wait_for("pass    there");
    person.sees(&format!("console of fake1, which {} `one-board`", bench.run_of("out")));
    run.signal(Signal::TERM);
    let finished = run.finish();
    assert_eq!(finished.code, Some(5), "{finished}");
    person.wait_for("console of one's own again", |rows| {
        last(rows, "the run has ended") < last(rows, "console of fake1; Ctrl-T ? helps")
    });
    person.types(&format!("{ESCAPE}q"));
    let (code, shown) = person.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
}

#[test]
fn a_console_comes_behind_a_run_that_waits() {
    let bench = Testbench::new();
    let first = bench.start(&Job::staying());
    first.wait_for("pass    there");
    let mut person = at_console(&bench, &[]);
    person.sees(&format!("console of fake1, which {}", bench.run_of("out")));
    let second = start_next(&bench, &["--out", "second", "--wait"]);
    second.wait_for_error(&format!("waiting: board fake1 is in use by {}", bench.run_of("out")));
    first.signal(Signal::TERM);
    first.finish();
    person.sees(&format!("console of fake1, which {}", bench.run_of("second")));
    second.signal(Signal::TERM);
    let second = second.finish();
    assert_eq!(second.code, Some(5), "{second}");
    assert!(!second.stderr.contains("host-runner console"), "{second}");
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
}

#[test]
fn the_power_of_a_board_that_a_run_has_is_asked_about_and_told_to_the_run() {
    let bench = Testbench::new();
    let run = bench.start_staying();
    let mut person = at_console(&bench, &[]);
    person.sees(&format!("console of fake1, which {}", bench.run_of("out")));
    let switched = || std::fs::read_to_string(bench.path().join("power.log")).expect("it was switched");
    person.types(&format!("{ESCAPE}p"));
    person.sees("has the board. Type yes and press Enter to go on with: reset. Press Ctrl-C to give up.");
    person.types("no\r");
    person.sees("the power stays as it is");
    assert_eq!(switched(), "reset\n");
    person.types(&format!("{ESCAPE}o"));
    person.sees("Type yes and press Enter to go on with: power on.");
    person.types("yes\r");
    person.sees("power on: done");
    assert_eq!(switched(), "reset\non\n");
    run.wait_for("not this run, switches the board's power: power on");
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
    run.signal(Signal::TERM);
    run.finish();
}

#[test]
fn the_power_command_asks_the_console_that_has_the_board() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &[]);
    person.sees("Hit any key to stop autoboot");
    let done = bench.start_with(&["power", "fake1", "cycle"]).finish();
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "fake1: reset: done\n"), "{done}");
    person.sees("switches the power: reset");
    assert_eq!(done.power(), ["reset"]);
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
}

#[test]
fn a_pipe_types_into_the_board_of_a_run_on_request_alone() {
    let bench = Testbench::new();
    let run = bench.start_staying();
    let words = bench.write("words", "reboot\n");
    let piped = |more: &[&str]| {
        let input = File::open(&words).expect("it was written");
        let arguments = [&["console", "fake1", "--exit-after", "1"], more].concat();
        bench.start_with_input(&arguments, input).finish()
    };
    let refused = piped(&[]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert!(
        refused.stderr.contains("has the board: nothing was typed")
            && refused.stderr.contains("`--type` types"),
        "{refused}"
    );
    assert!(!run.printed().contains("types on it"), "{}", run.printed());
    let typed = piped(&["--type"]);
    assert_eq!(typed.code, Some(0), "{typed}");
    assert!(typed.stdout.contains("root@debian"), "{typed}");
    assert!(!typed.stdout.as_bytes().contains(&START), "frames are nothing to read: {typed}");
    run.wait_for("somebody who is attached to the console types on it");
    run.signal(Signal::TERM);
    let finished = run.finish();
    let recorded = std::fs::read(finished.out.join(format!("console/{NODE}.raw"))).expect("it is written");
    assert!(recorded.contains(&START), "the agent speaks in frames");
}

#[test]
fn who_cannot_attach_is_told_why_and_does_not_try_again() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &[]);
    person.sees("Hit any key to stop autoboot");
    let key = Key::board(&bench.path().join("bench.toml"), "fake1").expect("the bench file is there");
    let address = SocketAddr::from_abstract_name(key.console_name()).expect("a short name");
    // The person's own is one of sixteen.
    let others: Vec<_> = (1..16)
        .map(|_| {
            let mut other = UnixStream::connect_addr(&address).expect("it is open");
            other.read_exact(&mut [0; 6]).expect("what came before");
            other
        })
        .collect();
    let refused = bench.start_with(&["console", "fake1"]).finish();
    assert_eq!(refused.code, Some(3), "{refused}");
    assert!(refused.stderr.contains("no more can attach to it; attached are: process "), "{refused}");
    assert!(refused.stderr.contains(&format!("process {} of user ", std::process::id())), "{refused}");
    assert!(refused.stderr.lines().count() < 10, "{refused}");
    drop(others);
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
}

#[test]
fn what_a_serial_port_says_while_it_changes_hands_is_not_lost() {
    let (adapter, other, path) = pseudo_terminal().expect("a pseudo-terminal");
    drop(other);
    let bench = Testbench::new().console(&format!("\"{path}\""));
    let mut board = File::from(adapter);
    let mut first = at_console(&bench, &[]);
    first.sees("console of fake1; Ctrl-T ? helps");
    let mut second = at_console(&bench, &[]);
    second.sees("console of fake1, which `host-runner console`");
    first.types(&format!("{ESCAPE}q"));
    // However far they are: line by line without a pause.
    for number in 0..300 {
        writeln!(board, "line {number}\r").expect("the port is open all the time");
    }
    assert_eq!(first.finish().0, Some(0));
    second.sees("line 299");
    second.types(&format!("{ESCAPE}q"));
    let (code, shown) = second.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
    // All of it in its order; what is said of the hand-over may stand in the middle of a line.
    let of_board = shown.iter().filter(|row| !row.starts_with('[')).flat_map(|row| row.split_whitespace());
    let all: String = (0..300).map(|number| format!("line{number}")).collect();
    assert!(of_board.collect::<String>().contains(&all), "{shown:#?}");
}
