//! The hooks of U-Boot's test suite on a board with a power switch and a command that writes U-Boot to it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use testbench::harness::{BOARD, Finished, Running, Testbench, pseudo_terminal};

/// A bench whose board has these lines beside its power switch, and links with the hooks' names in `hooks/`.
struct Hooks {
    bench: Testbench,
}

impl Hooks {
    fn new(bench: Testbench) -> Self {
        bench.write("bench.toml", bench.to_toml());
        let installed = bench.start_with(&["u-boot-test", "install", "hooks"]).finish();
        assert_eq!(installed.code, Some(0), "{installed}");
        Self { bench }
    }

    fn with_flash(lines: &str) -> Self {
        let bench = Testbench::new().environment("U_BOOT_BUILD_DIR", "/build/am335x_evm");
        let text = format!("{}[boards.{BOARD}.u_boot_test]\n{lines}", bench.to_toml());
        Self::new(bench.bench_text(&text))
    }

    fn path(&self, hook: &str) -> PathBuf {
        self.bench.path().join("hooks").join(hook)
    }

    fn start(&self, hook: &str) -> Running {
        self.bench.start_as(&self.path(hook), &["am335x_evm", BOARD], Stdio::null())
    }

    fn run(&self, hook: &str) -> Finished {
        self.start(hook).finish()
    }

    /// What was done to the power.
    fn power(&self) -> String {
        fs::read_to_string(self.bench.path().join("power.log")).unwrap_or_default()
    }
}

#[test]
fn the_console_has_the_board_while_the_other_hooks_switch_it() {
    let hooks = Hooks::new(Testbench::new());
    let console = hooks.start("u-boot-test-console");
    // At the same time, as test/py does it: whichever is first.
    let reset = hooks.run("u-boot-test-reset");
    assert_eq!(reset.code, Some(0), "{reset}");
    assert_eq!(hooks.power(), "reset\n");
    console.wait_for("Hit any key to stop autoboot");
    let boards = hooks.bench.start_with(&["boards"]).finish();
    assert!(boards.stdout.contains("used") && boards.stdout.contains("`u-boot-test-console`"), "{boards}");
    let release = hooks.run("u-boot-test-release");
    assert_eq!(release.code, Some(0), "{release}");
    assert_eq!(hooks.power(), "reset\noff\n");
    let console = console.finish();
    assert_eq!(console.code, Some(0), "{console}");
    assert!(console.stderr.is_empty(), "{console}");
}

#[test]
fn a_terminal_gets_the_boards_bytes_and_no_others() {
    let (line, other, path) = pseudo_terminal().expect("a pseudo-terminal");
    // A serial port does not echo.
    let mut raw = tcgetattr(&other).expect("a terminal");
    raw.make_raw();
    tcsetattr(&other, OptionalActions::Now, &raw).expect("a terminal");
    drop(other);
    let hooks = Hooks::new(Testbench::new().console(&format!("\"{path}\"")));
    let mut board = File::from(line);
    let (near, far, _) = pseudo_terminal().expect("a pseudo-terminal");
    let console = hooks.bench.start_as(&hooks.path("u-boot-test-console"), &["am335x_evm"], far);
    let mut typist = File::from(near);
    board.write_all(b"=> ").expect("the line is open");
    console.wait_for("=> ");
    // Bytes that a terminal would take for itself: Ctrl-C, Ctrl-T, Ctrl-\, Ctrl-S, return, delete.
    let typed = b"\x03\x14\x1c\x13\rversion\n\x7f\xff";
    typist.write_all(typed).expect("the console reads");
    let mut came = [0; 15];
    board.read_exact(&mut came).expect("the line is open");
    assert_eq!(&came, typed);
    console.signal(Signal::TERM);
    let console = console.finish();
    assert_eq!((console.code, console.stdout.as_str()), (Some(0), "=> "), "{console}");
}

#[test]
fn a_person_attaches_to_the_console_of_a_test() {
    let hooks = Hooks::new(Testbench::new());
    let console = hooks.start("u-boot-test-console");
    console.wait_for("Hit any key to stop autoboot");
    let mut person = hooks.bench.start_on_terminal(&["console", BOARD], 50, 250);
    person.sees("which `u-boot-test-console` (process");
    person.types("\x14t");
    person.sees("keys are for the board now");
    person.types("hello");
    person.types("\x14q");
    assert_eq!(person.finish().0, Some(0));
    console.signal(Signal::HUP);
    assert_eq!(console.finish().code, Some(0));
}

#[test]
fn a_console_follows_on_one_that_is_about_to_end() {
    let hooks = Hooks::new(Testbench::new());
    let first = hooks.start("u-boot-test-console");
    first.wait_for("Hit any key to stop autoboot");
    let second = hooks.start("u-boot-test-console");
    first.signal(Signal::TERM);
    assert_eq!(first.finish().code, Some(0));
    second.wait_for("Hit any key to stop autoboot");
    second.signal(Signal::TERM);
    assert_eq!(second.finish().code, Some(0));
}

#[test]
fn without_a_console_a_reset_waits_for_one_and_switches_all_the_same() {
    let hooks = Hooks::new(Testbench::new());
    let reset = hooks.run("u-boot-test-reset");
    assert_eq!(reset.code, Some(0), "{reset}");
    assert_eq!(hooks.power(), "reset\n");
}

#[test]
fn the_bench_files_command_writes_u_boot_to_the_board() {
    let hooks = Hooks::with_flash(
        "flash = [\"sh\", \"-c\", \"echo writing $U_BOOT_BUILD_DIR/u-boot.img; echo $$ >flashed\"]\n",
    );
    let flash = hooks.run("u-boot-test-flash");
    assert_eq!(
        (flash.code, flash.stdout.as_str()),
        (Some(0), "writing /build/am335x_evm/u-boot.img\n"),
        "{flash}"
    );
    assert!(hooks.bench.path().join("flashed").exists());
}

#[test]
fn a_flash_that_fails_is_told_by_its_command() {
    let hooks = Hooks::with_flash("flash = [\"sh\", \"-c\", \"echo no card >&2; exit 7\"]\n");
    let flash = hooks.run("u-boot-test-flash");
    assert_eq!(flash.code, Some(3), "{flash}");
    assert!(flash.stderr.starts_with("no card\n"), "{flash}");
    assert!(flash.stderr.contains("`flash` failed with exit status: 7: `sh -c"), "{flash}");

    let hooks = Hooks::with_flash("flash = [\"no-such-flasher\", \"u-boot.img\"]\n");
    let flash = hooks.run("u-boot-test-flash");
    assert_eq!(flash.code, Some(4), "{flash}");
    assert!(flash.stderr.contains("cannot be run") && flash.stderr.contains("in PATH?"), "{flash}");
}

#[test]
fn a_flash_that_hangs_ends_with_all_that_it_has_started() {
    let hooks = Hooks::with_flash("flash = [\"sh\", \"-c\", \"sleep 1000 & wait\"]\nflash_timeout_s = 1\n");
    let flash = hooks.run("u-boot-test-flash");
    assert_eq!(flash.code, Some(3), "{flash}");
    assert!(flash.stderr.contains("did not end within 1 s"), "{flash}");
    assert!(flash.stderr.contains("`flash_timeout_s` gives it more time"), "{flash}");
}

#[test]
fn a_board_without_a_flash_command_keeps_its_u_boot() {
    let hooks = Hooks::new(Testbench::new());
    let flash = hooks.run("u-boot-test-flash");
    assert_eq!(flash.code, Some(0), "{flash}");
    assert!(flash.stdout.contains("nothing is written to board `fake1`"), "{flash}");
}

#[test]
fn a_board_that_a_run_has_is_refused_and_left_alone() {
    let hooks = Hooks::new(Testbench::new());
    let run = hooks.bench.start_staying();
    let before = hooks.power();
    for hook in ["u-boot-test-console", "u-boot-test-reset"] {
        let refused = hooks.run(hook);
        assert_eq!(refused.code, Some(3), "{hook}: {refused}");
        assert!(refused.stderr.contains(&hooks.bench.run_of("out")), "{hook}: {refused}");
    }
    let release = hooks.run("u-boot-test-release");
    assert_eq!(release.code, Some(0), "{release}");
    assert!(
        release.stderr.contains(&format!("nothing is released: {}", hooks.bench.run_of("out"))),
        "{release}"
    );
    assert_eq!(hooks.power(), before);
    run.signal(Signal::TERM);
    assert_eq!(run.finish().code, Some(5));
}

#[test]
fn the_identity_is_the_boards_name_and_may_be_left_out_for_an_only_board() {
    let bench = Testbench::new();
    let second = "[boards.other]\ntype = \"beaglebone-black\"\nconsole = \"tcp://127.0.0.1:9\"\n";
    let hooks = Hooks::new(Testbench::new());
    let flash = hooks.path("u-boot-test-flash");
    let only = hooks.bench.start_as(&flash, &["am335x_evm", "na"], Stdio::null()).finish();
    assert_eq!(only.code, Some(0), "{only}");
    let misspelt = hooks.bench.start_as(&flash, &["am335x_evm", "fake2"], Stdio::null()).finish();
    assert_eq!(misspelt.code, Some(2), "{misspelt}");
    assert!(misspelt.stderr.contains("did you mean `fake1`?"), "{misspelt}");

    let text = bench.to_toml() + second;
    let hooks = Hooks::new(bench.bench_text(&text));
    let several =
        hooks.bench.start_as(&hooks.path("u-boot-test-flash"), &["am335x_evm", "na"], Stdio::null());
    let several = several.finish();
    assert_eq!(several.code, Some(2), "{several}");
    assert!(several.stderr.contains("run test.py with `--id NAME`, one of `fake1`, `other`"), "{several}");
}

#[test]
fn links_are_made_anew_and_scripts_of_the_users_own_stay() {
    let hooks = Hooks::new(Testbench::new());
    let again = hooks.bench.start_with(&["u-boot-test", "install", "hooks"]).finish();
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stdout.contains("export PATH=") && again.stdout.lines().count() == 5, "{again}");

    let own = hooks.path("u-boot-test-reset");
    fs::remove_file(&own).expect("a link");
    fs::write(&own, "#!/bin/sh\n").expect("an own directory");
    let refused = hooks.bench.start_with(&["u-boot-test", "install", "hooks"]).finish();
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        refused.stderr.contains("hooks/u-boot-test-reset") && refused.stderr.contains("is no link"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&own).expect("it stays"), "#!/bin/sh\n");
}
