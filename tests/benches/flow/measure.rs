//! One run as a process: its time, its memory, its results.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

/// How often the process is looked at.
const INTERVAL: Duration = Duration::from_millis(2);

/// Unit of the times in `/proc/<pid>/stat`: a hundredth of a second on every architecture (`USER_HZ`, time(7)).
const TICK: Duration = Duration::from_millis(10);

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
        peak_kib = peak_kib.max(peak(process).unwrap_or(0));
        thread::sleep(INTERVAL);
    }
    let wall = started.elapsed();
    // It has ended but is not waited for, so its times are still there.
    let cpu = cpu_time(process)?;
    let status = child.wait()?;
    if !status.success() {
        let log = fs::read_to_string(&log_file)?;
        return Err(io::Error::other(format!("the run did not pass ({status}):\n{log}")));
    }
    let results = serde_json::from_str(&fs::read_to_string(out.join("results.json"))?)?;
    Ok(Measured { wall, cpu, peak_kib, results })
}

/// `VmHWM` of a process in KiB; `None` once it has ended.
fn peak(process: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of a process.
fn cpu_time(process: Pid) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()))?;
    // The name of the program, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").ok_or(io::ErrorKind::InvalidData)?;
    let ticks: u32 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}
