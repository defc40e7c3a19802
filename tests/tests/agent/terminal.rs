//! The agent on a terminal, as on a serial console.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use protocol::agent_to_host::ExitStatus;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, Termios, tcgetattr};

use crate::done;
use crate::home;
use testbench::agent_runner::{Home, Runner};

/// Both ends of a terminal: the board's, and the bench PC's.
struct Terminal {
    bench: OwnedFd,
    board: OwnedFd,
    path: PathBuf,
}

impl Terminal {
    fn open() -> Self {
        let bench =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a free terminal");
        grantpt(&bench).and_then(|()| unlockpt(&bench)).expect("one's own terminal");
        let path = PathBuf::from(ptsname(&bench, Vec::new()).expect("named").into_string().expect("plain"));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let board = rustix::fs::openat(CWD, &path, flags, Mode::empty()).expect("unlocked");
        Self { bench, board, path }
    }

    fn modes(&self) -> Termios {
        tcgetattr(&self.board).expect("a terminal")
    }

    fn start(&self, home: &Home) -> Runner {
        self.start_at(home, 0)
    }

    /// Starts an agent that sends no faster than a line of `baud`.
    fn start_at(&self, home: &Home, baud: u32) -> Runner {
        let end = |fd: &OwnedFd| fd.try_clone().expect("descriptors are left");
        let child = home
            .command()
            .args(["console", "--baud", &baud.to_string()])
            .stdin(end(&self.board))
            .stdout(end(&self.board))
            .stderr(end(&self.board))
            .spawn()
            .expect("the agent starts");
        Runner::new(child, end(&self.bench), end(&self.bench))
    }
}

#[test]
fn the_terminal_is_raw_while_the_agent_runs_and_then_as_before() {
    let (home, terminal) = (home(), Terminal::open());
    let before = terminal.modes();
    assert!(before.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    let flags = rustix::fs::fcntl_getfl(terminal.board.as_fd()).expect("open");
    let mut runner = terminal.start(&home);
    let during = terminal.modes();
    assert!(!during.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
    assert!(!during.output_modes.contains(OutputModes::OPOST));
    assert!(runner.quit().success());
    let after = terminal.modes();
    assert_eq!(after.local_modes, before.local_modes);
    assert_eq!(after.input_modes, before.input_modes);
    assert_eq!(after.output_modes, before.output_modes);
    assert_eq!(rustix::fs::fcntl_getfl(terminal.board.as_fd()), Ok(flags));
}

#[test]
fn what_the_kernel_prints_passes_between_frames() {
    let (home, terminal) = (home(), Terminal::open());
    home.script("run.sh", "seq 1 3000; lava-test-case x --result pass; echo $LAVA_AGENT_LINK\n");
    let mut runner = terminal.start(&home);
    let mut kernel = OpenOptions::new().write(true).open(&terminal.path).expect("the board's end");
    kernel.write_all(b"[    1.0] random: crng init done\r\n").expect("room");
    let ran = runner.run("run.sh", 60, |call| {
        kernel.write_all(b"[    2.0] usb 1-1: new device\r\n").expect("room");
        done(call)
    });
    let numbers: String = (1..=3000).map(|number| format!("{number}\n")).collect();
    assert_eq!(ran.output, format!("{numbers}console\n"));
    assert_eq!(ran.status, ExitStatus::Code(0));
    runner.wait_for_console("[    1.0] random: crng init done\r\n");
    runner.wait_for_console("[    2.0] usb 1-1: new device\r\n");
    assert!(runner.quit().success());
}

/// What the script has printed when it calls is far more than the line has carried by then: it fills the pipe of 64 KiB,
/// which only the agent empties, at the line's pace.
#[test]
fn a_helper_is_heard_while_its_script_prints_more_than_the_line_carries() {
    let (home, terminal) = (home(), Terminal::open());
    home.script(
        "run.sh",
        "head -c 120000 /dev/zero | tr '\\0' x & lava-test-case first --result pass\n\
         lava-test-case second --result pass; wait\n",
    );
    let mut runner = terminal.start_at(&home, 115_200);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!((ran.calls.len(), ran.status, ran.output.len()), (2, ExitStatus::Code(0), 120_000));
    let [first, second] = ran.called_after[..] else { panic!("{:?}", ran.calls) };
    assert!(first < 100_000 && second < 100_000, "the calls waited for {first} and {second} bytes of output");
}

#[test]
fn a_call_that_overtakes_what_was_printed_before_it_tells_its_place() {
    let (home, terminal) = (home(), Terminal::open());
    home.script("run.sh", "seq 1 6000; lava-test-case x --result pass; echo behind it\n");
    let mut runner = terminal.start_at(&home, 115_200);
    let ran = runner.run("run.sh", 60, done);
    let place = ran.output.find("behind it\n");
    assert_eq!((ran.called_behind.as_slice(), place), (place.as_slice(), Some(28_893)));
    assert!(ran.called_after[0] < 28_893, "it waited for what was printed");
}

#[test]
fn an_agent_that_is_asked_says_that_it_is_there() {
    let (home, terminal) = (home(), Terminal::open());
    home.script("run.sh", "echo hello\n");
    let mut runner = terminal.start(&home);
    assert_eq!(runner.run("run.sh", 60, done).output, "hello\n");
    runner.confirm_alive();
    assert_eq!(runner.run("run.sh", 60, done).output, "hello\n");
    assert!(runner.quit().success());
}

#[test]
fn a_terminal_that_is_none_is_refused() {
    let home = home();
    let output = home.command().arg("console").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("standard input is no terminal"), "{errors}");
}
