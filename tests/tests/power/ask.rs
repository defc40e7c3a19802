//! A person at a terminal.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use testbench::harness::{BOARD, Definition, Job, Testbench};

use super::{bench, refused};

const POWER: &str = "driver = \"ask\"";

/// Both ends of a terminal: the program's, and the person's.
struct Terminal {
    person: OwnedFd,
    program: OwnedFd,
}

impl Terminal {
    fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = openpt(flags).expect("a free terminal");
        grantpt(&person).and_then(|()| unlockpt(&person)).expect("one's own terminal");
        let path = ptsname(&person, Vec::new()).expect("it has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let program = rustix::fs::openat(CWD, path, flags, Mode::empty()).expect("it is unlocked");
        Self { person, program }
    }

    fn input(&self) -> OwnedFd {
        self.program.try_clone().expect("descriptors are left")
    }

    fn types(&self, text: &str) {
        rustix::io::write(&self.person, text.as_bytes()).expect("the terminal is open");
    }
}

#[test]
fn a_board_is_switched_by_who_presses_enter() {
    let bench = bench(POWER);
    for (action, question) in [
        ("on", "switch board `fake1` on, then press Enter"),
        ("off", "switch board `fake1` off, then press Enter"),
        ("cycle", "reset board `fake1`, or switch it off and on, then press Enter"),
    ] {
        let terminal = Terminal::open();
        let running = bench.start_with_input(&["power", BOARD, action], terminal.input());
        running.wait_for_error(question);
        terminal.types("\n");
        let done = running.finish();
        assert_eq!(done.code, Some(0), "{done}");
    }
}

#[test]
fn where_nobody_can_be_asked_that_is_told_at_once() {
    let words = ["standard input is no terminal", "start it from a terminal"];
    let refused = refused(&bench(POWER), "on", 4, &words);
    assert!(!refused.stderr.contains("press Enter"), "{refused}");
}

#[test]
fn a_terminal_that_ends_is_no_answer() {
    let bench = bench(POWER);
    let terminal = Terminal::open();
    let running = bench.start_with_input(&["power", BOARD, "on"], terminal.input());
    running.wait_for_error("press Enter");
    // Ctrl-D.
    terminal.types("\u{4}");
    let ended = running.finish();
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(ended.stderr.contains("the terminal ended before Enter was pressed"), "{ended}");
}

/// A bench with the fake board, switched by a person.
fn whole_bench() -> Testbench {
    let bench = Testbench::new();
    let text = bench.to_toml();
    let (before, _) = text.split_once("[boards.fake1.power]").expect("it has power commands");
    let bench = bench.bench_text(&format!("{before}[boards.fake1.power]\n{POWER}\n"));
    bench.write("bench.toml", bench.to_toml());
    bench
}

#[test]
fn a_run_asks_for_its_board_and_goes_on_when_it_is_done() {
    let bench = whole_bench();
    let job = Job::new().definitions(&[Definition::new("smoke", &["lava-test-case there --result pass"])]);
    bench.write("job.yaml", job.to_yaml());
    let terminal = Terminal::open();
    let arguments = ["run", "job.yaml", "--out", "out"];
    let running = bench.start_with_input(&arguments, File::from(terminal.input()));
    running.wait_for("reset board `fake1`");
    terminal.types("\n");
    running.wait_for("switch board `fake1` off");
    terminal.types("\n");
    let run = running.finish();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn a_run_does_not_wait_for_a_person_beyond_its_phase() {
    let bench = whole_bench();
    let job = Job::new().timeout("pdu-reboot", 2);
    bench.write("job.yaml", job.to_yaml());
    let terminal = Terminal::open();
    let running = bench.start_with_input(&["run", "job.yaml", "--out", "out"], terminal.input());
    running.wait_for("switch board `fake1` off");
    terminal.types("\n");
    let run = running.finish();
    assert_eq!(run.code, Some(3), "{run}");
    let fault = run.results()["fault"].to_string();
    assert!(fault.contains("nobody pressed Enter within 2 s") && fault.contains("pdu-reboot"), "{fault}");
}
