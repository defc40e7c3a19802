//! What a process uses, as `/proc` tells it.

use std::fs;
use std::io;
use std::time::Duration;

/// Unit of the times in `/proc/<pid>/stat`: a hundredth of a second on every architecture (`USER_HZ`, time(7)).
const TICK: Duration = Duration::from_millis(10);

/// Most memory that a process had in use, in KiB (`VmHWM`): pages of the program itself are among them. `None` once it
/// has ended.
pub fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of a process without its children, in steps of 10 ms.
///
/// # Errors
/// When there is no such process.
pub fn cpu_time(process: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").ok_or(io::ErrorKind::InvalidData)?;
    let ticks: u32 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}
