//! Programs of the bench, run on this PC: power switches and a job's commands.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::process_group::ProcessGroup;

/// How much of the end of a program's output is kept, in bytes.
const KEPT_OUTPUT: usize = 2048;

/// Lines of output shown in an error.
const SHOWN_LINES: usize = 5;

/// Why a program of the bench did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The list is empty.
    #[error("the bench file names no program")]
    Empty,
    /// It could not be started or waited for.
    #[error("it cannot be run")]
    Run(#[source] io::Error),
    /// It ended with another status than 0.
    #[error("it failed with {status}{}", said(.output))]
    Status {
        /// How it ended.
        status: ExitStatus,
        /// Last lines of its standard error, or of its output if there are none.
        output: String,
    },
    /// It printed something else than it was asked for.
    #[error("it printed `{printed}` and not {wanted}")]
    Answer {
        /// What it was asked for.
        wanted: &'static str,
        /// Its last lines.
        printed: String,
    },
    /// It was killed because it took too long.
    #[error("it did not end within {:?}{}", whole_seconds(*.timeout), said(.output))]
    Timeout {
        /// The time it had.
        timeout: Duration,
        /// Last lines of what it printed until then.
        output: String,
    },
}

/// A time that is what was left of a limit, as it is told: whole seconds, where it is that long.
fn whole_seconds(time: Duration) -> Duration {
    let is_part = time.subsec_nanos() > 0 && time.as_secs() > 0;
    if is_part { Duration::from_secs(time.as_secs() + 1) } else { time }
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it printed: {output}") }
}

impl ProgramError {
    /// Whether there is no such program.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Run(error) => error.kind() == io::ErrorKind::NotFound,
            Self::Status { .. } | Self::Answer { .. } | Self::Timeout { .. } => false,
        }
    }
}

/// Where a program is that this user may run; without `/` in its name it is looked for in `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let may_run = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return Some(Path::new(program).to_owned()).filter(may_run);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(may_run)
}

/// Runs a program with its arguments until it ends, and returns the last lines of its output; no shell is involved.
///
/// # Errors
/// It cannot be run, fails, or takes longer than `limit`.
pub async fn run_program(argv: &[String], limit: Duration) -> Result<String, ProgramError> {
    let [program, arguments @ ..] = argv else {
        return Err(ProgramError::Empty);
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(ProgramError::Run)?;
    let group = ProcessGroup::of(&child);
    let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
    let (from_stdout, from_stderr) = (child.stdout.take(), child.stderr.take());
    let ended = {
        // A grandchild that keeps the output open, such as a daemon, must not hold up a command that has ended.
        let reading = async { tokio::join!(stdout.fill(from_stdout), stderr.fill(from_stderr)) };
        let waiting = async {
            tokio::pin!(reading);
            tokio::select! {
                _ = &mut reading => child.wait().await,
                status = child.wait() => {
                    let _ = timeout(Duration::from_millis(100), reading).await;
                    status
                }
            }
        };
        timeout(limit, waiting).await
    };
    let output = if stderr.bytes.is_empty() { stdout.lines() } else { stderr.lines() };
    let Ok(ended) = ended else {
        return Err(ProgramError::Timeout { timeout: limit, output });
    };
    // What it left running, such as a daemon that holds a relay, lives on.
    group.release();
    match ended {
        Ok(status) if status.success() => Ok(stdout.lines()),
        Ok(status) => Err(ProgramError::Status { status, output }),
        Err(error) => Err(ProgramError::Run(error)),
    }
}

/// The end of a stream.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = [0; 1024];
        // An error ends the output like its end does.
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            self.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
            let excess = self.bytes.len().saturating_sub(KEPT_OUTPUT);
            self.bytes.drain(..excess);
        }
    }

    fn lines(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut lines: Vec<_> =
            text.lines().rev().filter(|line| !line.trim().is_empty()).take(SHOWN_LINES).collect();
        lines.reverse();
        lines.join("\n")
    }
}
