//! One run of a program: how long it took and what it used.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What a run used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// From its start to its end, in milliseconds.
    pub(super) ms: f64,
    /// User and system time, in milliseconds.
    pub(super) cpu_ms: f64,
    /// Most memory, in MiB; pages of the program itself are among them.
    pub(super) mib: f64,
}

impl Usage {
    /// Runs `program`, in a process of this benchmark of its own: the system tells the memory of the largest child only.
    pub(super) fn of(program: &Path, arguments: &[OsString]) -> Result<Self, Box<dyn Error>> {
        let mut this = Command::new(std::env::current_exe()?);
        let output = this.arg("--usage-of").arg(program).args(arguments).stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        match numbers.as_slice() {
            &[ms, cpu_ms, mib] if output.status.success() => Ok(Self { ms, cpu_ms, mib }),
            _ => Err(format!("{} failed", program.display()).into()),
        }
    }
}

/// Runs `program` and prints the three numbers of a [`Usage`].
pub(super) fn print_usage_of(out: &mut impl Write, program: &mut Command) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let status = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let ms = started.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(io::Error::other(format!("{program:?}: {status}")).into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |time: TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    let cpu = time(usage.user_time()) + time(usage.system_time());
    writeln!(out, "{ms} {cpu} {}", usage.max_rss() as f64 / 1024.0)?;
    Ok(())
}
