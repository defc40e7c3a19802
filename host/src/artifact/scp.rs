//! Downloads over SSH, for `scp` URLs: with the user's own `ssh`, its keys, its agent and its configuration.
//!
//! As in LAVA, the other side runs `cat`: nothing but a shell is needed there.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::blob_writer::BlobWriter;
use super::cache::Cache;
use super::checksum::Checksums;
use super::copy::{Budget, CopyError, Progress, copy};
use super::error::Reason;
use super::url::Remote;
use crate::shell::quote;

/// How often it is looked whether the file is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Most of what `ssh` says that is kept, in bytes.
const MAX_WORDS: u64 = 2048;

/// It asks nothing, leaves nothing behind, and notices within half a minute that the other side is gone.
const OPTIONS: [&str; 5] = [
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ControlMaster=no",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
];

/// Downloads a file; `config` is a configuration of OpenSSH's client instead of the user's.
pub(super) fn download(
    cache: &Cache,
    remote: &Remote,
    config: Option<&Path>,
    demanded: &Checksums,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<BlobWriter, Reason> {
    let mut writer = cache.writer(demanded)?;
    let limit = cache.max_size;
    let mut ssh = Ssh::start(remote, config).map_err(Reason::Ssh)?;
    let (mut output, words) = (ssh.child.stdout.take(), ssh.child.stderr.take());
    let group = ssh.group();
    let (copied, words, status) = thread::scope(|scope| {
        let (running, ended) = mpsc::channel();
        scope.spawn(move || stop_when_unwanted(group, budget, &ended));
        let words = scope.spawn(move || words.map(beginning).unwrap_or_default());
        let copied = match &mut output {
            Some(output) => copy(output, &mut writer, limit, budget, None, progress),
            None => Ok(0),
        };
        if copied.is_err() {
            stop(group);
        }
        let words = words.join().unwrap_or_default();
        let status = ssh.child.wait();
        drop::<mpsc::Sender<()>>(running);
        (copied, words, status)
    });
    // Why it was stopped says more than that it was.
    budget.remaining()?;
    let status = status.map_err(Reason::Ssh)?;
    match copied {
        Ok(_) if status.success() => Ok(writer),
        Ok(_) | Err(CopyError::Read { .. }) => Err(Reason::Remote { status, words }),
        Err(CopyError::Write(source)) => Err(Reason::Cache { path: writer.path().to_owned(), source }),
        Err(CopyError::TooLarge) => Err(Reason::TooLarge { limit }),
        Err(CopyError::Budget(reason)) => Err(reason),
    }
}

/// A running `ssh`; stopped when it is dropped.
struct Ssh {
    child: Child,
}

impl Ssh {
    fn start(remote: &Remote, config: Option<&Path>) -> io::Result<Self> {
        let mut command = Command::new("ssh");
        command.arg("-T").args(OPTIONS.iter().flat_map(|option| ["-o", option]));
        if let Some(config) = config {
            command.arg("-F").arg(config);
        }
        if let Some(port) = remote.port {
            command.args(["-p", &port.to_string()]);
        }
        let child = command
            .args(["--", &remote.destination, &format!("cat -- {}", quote(&remote.path))])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if let Ok(None) = self.child.try_wait() {
            stop(self.group());
            let _ = self.child.wait();
        }
    }
}

/// Stops `ssh` and what it has started, such as a proxy command.
fn stop(group: Option<Pid>) {
    if let Some(group) = group {
        // It may have ended by itself just now.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Stops `ssh` when time is over or nobody wants the file any more, until `ended` says that it has ended.
fn stop_when_unwanted(group: Option<Pid>, budget: &Budget, ended: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
        if budget.remaining().is_err() {
            return stop(group);
        }
    }
}

/// The beginning of what is said, all of which is read.
fn beginning(mut stream: impl Read) -> String {
    let mut kept = Vec::new();
    // An error ends the words like their end does.
    let _ = stream.by_ref().take(MAX_WORDS).read_to_end(&mut kept);
    let _ = io::copy(&mut stream, &mut io::sink());
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}
