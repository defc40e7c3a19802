//! One run as a process: its time, its memory, its results.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;
use testbench::harness::usage;

/// How often the process is looked at.
const INTERVAL: Duration = Duration::from_millis(2);

/// What one run took.
#[derive(Debug)]
pub(crate) struct Measured {
    /// From start to end of the process.
    pub(crate) wall: Duration,
    /// CPU time of the process alone, without its children: in steps of 10 ms.
    pub(crate) cpu: Duration,
    /// Most memory that the process had in use, in KiB: pages of the program itself are among them.
    pub(crate) peak_kib: u64,
    /// `results.json`.
    pub(crate) results: Value,
}

/// Runs `command`, which must pass and leave its results in `out`.
///
/// The system's own accounting of an ended child (`getrusage`) would count the emulator's memory as the runner's, so the
/// process is observed while it runs.
pub(crate) fn measure(mut command: Command, out: &Path) -> io::Result<Measured> {
    let log_file = out.with_extension("log");
    let log = fs::File::create(&log_file)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let started = Instant::now();
    let mut child = command.spawn()?;
    let process = Pid::from_child(&child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let mut peak_kib = 0;
    while waitid(WaitId::Pid(process), options)?.is_none() {
        peak_kib = peak_kib.max(usage::peak_kib(child.id()).unwrap_or(0));
        thread::sleep(INTERVAL);
    }
    let wall = started.elapsed();
    // It has ended but is not waited for, so its times are still there.
    let cpu = usage::cpu_time(child.id())?;
    let status = child.wait()?;
    if !status.success() {
        let log = fs::read_to_string(&log_file)?;
        return Err(io::Error::other(format!("the run did not pass ({status}):\n{log}")));
    }
    let results = serde_json::from_str(&fs::read_to_string(out.join("results.json"))?)?;
    Ok(Measured { wall, cpu, peak_kib, results })
}
