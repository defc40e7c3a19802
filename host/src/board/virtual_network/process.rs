//! A process that the helper runs for the runner.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long a killed process may take to end.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest exit report in bytes.
const MAX_REPORT: usize = 64;

/// Standard streams of a process.
#[derive(Debug)]
pub struct Stdio {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A process in the namespace. Dropping it kills the process.
#[derive(Debug)]
pub struct NamespaceProcess {
    pid: u32,
    lifeline: UnixStream,
    report: Vec<u8>,
}

impl NamespaceProcess {
    pub(super) fn new(pid: u32, lifeline: UnixStream) -> Self {
        Self { pid, lifeline, report: Vec::new() }
    }

    /// The process id, as seen by the runner.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process ends. Can be dropped and called again.
    ///
    /// # Errors
    /// `UnexpectedEof` if the helper ended first; the process ends with it.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        while self.report.len() < MAX_REPORT {
            if self.lifeline.read_buf(&mut self.report).await? == 0 {
                break;
            }
        }
        if self.report.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the virtual network ended, and the process with it",
            ));
        }
        Ok(serde_json::from_slice(&self.report)?)
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `TimedOut` if it is not gone after 5 s.
    pub async fn kill(mut self) -> io::Result<Exit> {
        tokio::io::AsyncWriteExt::shutdown(&mut self.lifeline).await?;
        timeout(KILL_TIMEOUT, self.wait()).await.map_err(|_| {
            let text = format!("process {} did not end within {KILL_TIMEOUT:?} of being killed", self.pid);
            io::Error::new(io::ErrorKind::TimedOut, text)
        })?
    }
}
