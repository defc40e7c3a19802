//! A switched outlet with a fake board on it, behind a serial port.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{BOARD, Testbench};
use crate::fake_board::{Line, Options, PtyPair, on_line};

/// How often the switch is looked at: a file tells nobody when it changes.
const INTERVAL: Duration = Duration::from_millis(5);

/// An outlet, and the board that has power while it is on. Its switch is a file: `on` in it, or anything else.
#[derive(Debug)]
pub struct Outlet {
    port: PathBuf,
    switch: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Outlet {
    /// A board of `options` whose serial port and switch are in `directory`. The outlet is off.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(directory: &Path, options: Options) -> io::Result<Self> {
        let (port, switch) = (directory.join("ttyBOARD"), directory.join("outlet"));
        fs::write(&switch, "off")?;
        let pair = PtyPair::linked(&port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (switch, stop) = (switch.clone(), Arc::clone(&stop));
            thread::spawn(move || serve(&pair, &switch, &options, &stop))
        };
        Ok(Self { port, switch, stop, thread: Some(thread) })
    }

    /// The serial port.
    pub fn port(&self) -> &Path {
        &self.port
    }

    /// Whether the outlet is on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn is_on(&self) -> io::Result<bool> {
        is_on(&self.switch)
    }

    /// The board's table `power` in a bench file, all commands of it.
    pub fn power(&self) -> String {
        let switch = self.switch.display();
        let set = |state: &str| format!("[\"sh\", \"-c\", \"echo {state} > {switch}\"]");
        format!("on = {}\noff = {}\nstatus = [\"cat\", \"{switch}\"]\n", set("on"), set("off"))
    }
}

/// A bench whose board is on an outlet, with power commands that `change` may spoil.
///
/// # Panics
/// Where the system has no pseudo-terminal.
pub fn on_outlet(bench: Testbench, change: impl Fn(String) -> String) -> (Testbench, Outlet) {
    let outlet = Outlet::new(bench.path(), bench.options()).expect("a pseudo-terminal");
    let bench = bench.console(&format!("{:?}", outlet.port().display().to_string()));
    let text = bench.to_toml();
    let (before, _) = text.split_once(&format!("[boards.{BOARD}.power]\n")).expect("a table");
    let text = format!("{before}[boards.{BOARD}.power]\n{}", change(outlet.power()));
    (bench.bench_text(&text), outlet)
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so itself.
            let _ = thread.join();
        }
    }
}

fn is_on(switch: &Path) -> io::Result<bool> {
    Ok(fs::read_to_string(switch)?.trim() == "on")
}

/// Has the board run while the switch is on.
fn serve(pair: &PtyPair, switch: &Path, options: &Options, stop: &AtomicBool) -> io::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        if is_on(switch)? {
            run_board(pair, switch, options, stop)?;
        } else {
            drain(&mut pair.board()?)?;
            thread::sleep(INTERVAL);
        }
    }
    Ok(())
}

/// A board without power takes nothing.
fn drain(port: &mut File) -> io::Result<()> {
    let mut taken = 1;
    while taken > 0 && readable(port, Duration::ZERO)? == PollFlags::IN {
        taken = port.read(&mut [0; 256])?;
    }
    Ok(())
}

fn run_board(pair: &PtyPair, switch: &Path, options: &Options, stop: &AtomicBool) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut board = TcpStream::connect(listener.local_addr()?)?;
    let (line, _) = listener.accept()?;
    let mut port = pair.board()?;
    let result = thread::scope(|scope| {
        scope.spawn(|| on_line(options, Line::connection(line)?));
        let result = pump(&mut port, &mut board, || Ok(is_on(switch)? && !stop.load(Ordering::Relaxed)));
        // Its power is cut.
        let _ = board.shutdown(Shutdown::Both);
        result
    });
    // What the board says to itself is lost.
    result
}

/// Carries bytes both ways while `goes_on`, or until the board ends the line.
fn pump(port: &mut File, board: &mut TcpStream, goes_on: impl Fn() -> io::Result<bool>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while goes_on()? {
        match readable(port, INTERVAL)? {
            PollFlags::IN => {
                let count = port.read(&mut buffer)?;
                board.write_all(&buffer[..count])?;
            }
            // Nobody has it open.
            state if state.contains(PollFlags::HUP) => thread::sleep(INTERVAL),
            _ => {}
        }
        if readable(board, Duration::ZERO)?.contains(PollFlags::IN) {
            match board.read(&mut buffer)? {
                0 => return Ok(()),
                count => port.write_all(&buffer[..count])?,
            }
        }
    }
    Ok(())
}

/// What `file` is ready for within `time`. Nobody has the port open: a hang-up, at once.
fn readable(file: &impl std::os::fd::AsFd, time: Duration) -> io::Result<PollFlags> {
    let mut ready = [PollFd::new(file, PollFlags::IN)];
    let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    poll(&mut ready, Some(&time))?;
    Ok(ready[0].revents())
}
