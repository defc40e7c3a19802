//! Resident memory of a running agent.
//!
//! # How it is measured
//! An agent is started as on a secondary connection and asked for its `smaps` (proc(5)): once when it has greeted the
//! runner, and once when a script has printed [`OUTPUT`] bytes, has ended, and [`HELPERS`] helpers wait for their replies,
//! which is as many as are served at once. It has no heap and gives no page back, so what is resident at the end is the
//! most that ever was.
//!
//! Agents for other processors run under qemu's user-mode emulation. Their addresses are [`BASE`] higher in the
//! emulator's process (`-B`), where nothing else is: the pages there are the program's text, data and stack, and one or two of
//! qemu's own in place of the kernel's. The emulator's memory does not count. For the native agent all pages count;
//! their sum is what its `VmRSS` says.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::{AgentToHost, HostToAgent};

use super::architecture::Architecture;
use super::session::Session;
use crate::error::Error;

/// KiB that may be resident.
pub(super) const BUDGET_KIB: u64 = 256;

/// Where an emulated program's address 0 is: far from what the emulator itself maps.
const BASE: u64 = 0x2000_0000_0000;
/// Bytes above [`BASE`] that an emulated program may use.
const SPAN: u64 = 1 << 42;

/// Bytes that the script prints.
const OUTPUT: usize = 200_000;
/// Helpers that are connected at once: the agent's limit.
const HELPERS: usize = 16;

/// Prints [`OUTPUT`] bytes and leaves [`HELPERS`] helpers behind.
const SCRIPT: &str = "head -c 200000 /dev/zero | tr '\\0' x\n\
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do lava-wait never & done\n\
    wait\n";

/// KiB of an agent that are resident.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    /// Once it has greeted the runner.
    pub(crate) idle_kib: u64,
    /// After much output, with all helpers connected.
    pub(crate) busy_kib: u64,
}

/// Measures the agent `program`.
///
/// # Errors
/// When it cannot be run, or does not do what it is asked for.
pub(super) fn measure(program: &Path, architecture: &Architecture) -> Result<Resident, Error> {
    let home = tempfile::tempdir().map_err(Error::file("cannot write in", &std::env::temp_dir()))?;
    let agent = furnish(home.path(), program, architecture)?;
    let mut command = match architecture.emulator {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg("-B").arg(format!("{BASE:#x}")).arg(agent);
            command
        }
        None => Command::new(agent),
    };
    let mut session = Session::start(command.arg("stdio"))?;
    let resident = |session: &Session| {
        let smaps = PathBuf::from(format!("/proc/{}/smaps", session.pid()));
        let text = fs::read_to_string(&smaps).map_err(Error::file("cannot read", &smaps))?;
        Ok(resident_kib(&text, architecture.emulator.is_some()))
    };
    session.until(|message| matches!(message, AgentToHost::Ready { .. }))?;
    let idle_kib = resident(&session)?;
    let (script, shell) = ("run.sh", "/bin/sh");
    session.send(&HostToAgent::RunScript { run: 1, script, shell, errexit: true, timeout_s: 60 })?;
    let (mut bytes, mut calls) = (0, 0);
    session.until(|message| {
        match message {
            AgentToHost::Output { data, .. } => bytes += data.len(),
            AgentToHost::Call { .. } => calls += 1,
            _ => {}
        }
        bytes >= OUTPUT && calls >= HELPERS
    })?;
    let busy_kib = resident(&session)?;
    session.quit()?;
    Ok(Resident { idle_kib, busy_kib })
}

/// Makes an agent's directory as boards have it; returns the agent in it.
fn furnish(home: &Path, program: &Path, architecture: &Architecture) -> Result<PathBuf, Error> {
    let bin = home.join("bin");
    let (agent, helper, script) = (bin.join("lava-agent"), bin.join("lava-wait"), home.join("run.sh"));
    fs::create_dir(&bin).map_err(Error::file("cannot make", &bin))?;
    fs::copy(program, &agent).map_err(Error::file("cannot copy", program))?;
    fs::write(&script, SCRIPT).map_err(Error::file("cannot write", &script))?;
    match architecture.emulator {
        Some(emulator) => {
            let text = format!("#!/bin/sh\nexec {emulator} -0 lava-wait {} \"$@\"\n", agent.display());
            fs::write(&helper, text)
                .and_then(|()| fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)))
        }
        None => symlink("lava-agent", &helper),
    }
    .map_err(Error::file("cannot write", &helper))?;
    Ok(agent)
}

/// Sums the resident KiB in a text like `/proc/PID/smaps`, of an emulated program's addresses or of all.
fn resident_kib(smaps: &str, is_emulated: bool) -> u64 {
    let mut counts = false;
    let mut sum = 0;
    for line in smaps.lines() {
        if let Some(start) = line.split_once('-').and_then(|(start, _)| u64::from_str_radix(start, 16).ok()) {
            counts = !is_emulated || (BASE..BASE + SPAN).contains(&start);
        } else if let Some(rest) = line.strip_prefix("Rss:").filter(|_| counts) {
            sum += rest.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
200000010000-20000001f000 r--p 00000000 fe:00 10371368                         /x/lava-agent
Size:                 60 kB
Rss:                  60 kB
Pss_Dirty:             4 kB
200040001000-200040801000 rw-p 00000000 00:00 0
Rss:                  96 kB
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
Rss:                4096 kB
";

    #[test]
    fn the_emulators_own_memory_does_not_count() {
        assert_eq!(resident_kib(SMAPS, true), 60 + 96);
        assert_eq!(resident_kib(SMAPS, false), 60 + 96 + 4096);
    }

    #[test]
    fn the_script_does_what_the_measurement_waits_for() {
        assert!(
            SCRIPT.contains(&format!("head -c {OUTPUT} ")) && SCRIPT.contains(&format!(" {HELPERS}; do"))
        );
    }
}
