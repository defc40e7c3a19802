//! Power of a board, switched by the commands of the bench file.

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::fault::Class;
use crate::process_group::ProcessGroup;

/// How much of the end of a command's output is kept, in bytes.
const KEPT_OUTPUT: usize = 2048;

/// Lines of output shown in an error.
const SHOWN_LINES: usize = 5;

/// How long a board stays off in a reset made of off and on, so that its capacitors discharge.
const OFF_TIME: Duration = Duration::from_secs(1);

/// The commands that switch a board's power. Each is a program and its arguments; no shell is involved.
///
/// A bench file gives `reset`, or both `on` and `off`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerCommands {
    /// Switches it on.
    pub on: Vec<String>,
    /// Switches it off; must do no harm to a board that is off. Without one, the board stays on.
    pub off: Vec<String>,
    /// Resets it. Without one, a reset is off, 1 s, on.
    pub reset: Vec<String>,
}

/// What is done to the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Reset.
    Reset,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "power on",
            Self::Off => "power off",
            Self::Reset => "reset",
        })
    }
}

/// A power command that did not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{switch} command `{command}` did not work")]
pub struct PowerError {
    /// What it was to do.
    pub switch: Switch,
    /// The command line, words separated by spaces.
    pub command: String,
    /// What went wrong.
    #[source]
    pub kind: PowerErrorKind,
}

/// What went wrong with a power command.
#[derive(Debug, thiserror::Error)]
pub enum PowerErrorKind {
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
    /// It was killed because it took too long.
    #[error("it did not end within {timeout:?}{}", said(.output))]
    Timeout {
        /// The time it had.
        timeout: Duration,
        /// Last lines of what it printed until then.
        output: String,
    },
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it printed: {output}") }
}

impl PowerError {
    /// Whose fault it is: a command that is not there is the bench file's, one that fails is the bench's hardware.
    pub fn class(&self) -> Class {
        match &self.kind {
            PowerErrorKind::Empty => Class::Bench,
            PowerErrorKind::Run(error) if error.kind() == io::ErrorKind::NotFound => Class::Bench,
            PowerErrorKind::Run(_) | PowerErrorKind::Status { .. } | PowerErrorKind::Timeout { .. } => {
                Class::Infrastructure
            }
        }
    }
}

impl PowerCommands {
    /// Switches the power off, if there is a command for it; `limit` is for the command.
    ///
    /// # Errors
    /// Where the command cannot be run, fails or takes too long.
    pub async fn off(&self, limit: Duration) -> Result<(), PowerError> {
        if self.off.is_empty() { Ok(()) } else { run(Switch::Off, &self.off, limit).await }
    }

    /// Resets the board; `limit` is for all of its commands together.
    ///
    /// # Errors
    /// As [`off`](Self::off).
    pub async fn reset(&self, limit: Duration) -> Result<(), PowerError> {
        if !self.reset.is_empty() {
            return run(Switch::Reset, &self.reset, limit).await;
        }
        let started = Instant::now();
        self.off(limit).await?;
        sleep(OFF_TIME).await;
        run(Switch::On, &self.on, limit.saturating_sub(started.elapsed())).await
    }
}

async fn run(switch: Switch, argv: &[String], limit: Duration) -> Result<(), PowerError> {
    run_program(argv, limit).await.map_err(|kind| PowerError { switch, command: argv.join(" "), kind })
}

async fn run_program(argv: &[String], limit: Duration) -> Result<(), PowerErrorKind> {
    let [program, arguments @ ..] = argv else {
        return Err(PowerErrorKind::Empty);
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(PowerErrorKind::Run)?;
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
        return Err(PowerErrorKind::Timeout { timeout: limit, output });
    };
    // What it left running, such as a daemon that holds a relay, lives on.
    group.release();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(PowerErrorKind::Status { status, output }),
        Err(error) => Err(PowerErrorKind::Run(error)),
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;
    use crate::fault::Chain;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    const LIMIT: Duration = Duration::from_secs(20);

    async fn off(script: &str, limit: Duration) -> Result<(), String> {
        let power = PowerCommands { off: shell(script), ..PowerCommands::default() };
        power.off(limit).await.map_err(|error| Chain(&error).to_string())
    }

    #[tokio::test]
    async fn a_command_that_succeeds_is_silent() {
        off("echo noise; exit 0", LIMIT).await.unwrap();
    }

    #[tokio::test]
    async fn a_failing_command_is_told_with_status_and_last_lines() {
        let text = off("for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3", LIMIT).await.unwrap_err();
        assert!(text.starts_with("power off command `sh -c for i"), "{text}");
        assert!(
            text.ends_with(
                ": it failed with exit status: 3; it printed: line 3\nline 4\nline 5\nline 6\nline 7"
            ),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_failing_command_without_errors_is_told_with_its_output() {
        let error = off("echo no such outlet; exit 1", LIMIT).await.unwrap_err();
        assert!(error.ends_with("it printed: no such outlet"), "{error}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let (reader, writer) = io::pipe().unwrap();
        // The child keeps the far end of the pipe open until it dies.
        let far_end = format!("/proc/{}/fd/{}", std::process::id(), writer.as_raw_fd());
        let script = format!("sleep 1000 >&2 2>{far_end} & echo dialling; wait");
        let error = off(&script, Duration::from_secs(5)).await.unwrap_err();
        assert!(error.ends_with("did not end within 5s; it printed: dialling"), "{error}");
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), "");
    }

    #[tokio::test]
    async fn a_daemon_left_behind_does_not_hold_up_the_command() {
        // The daemon ends with the writer, at the end of the test.
        let (reader, _writer) = io::pipe().unwrap();
        let input = format!("/proc/{}/fd/{}", std::process::id(), reader.as_raw_fd());
        off(&format!("cat {input} & exit 0"), LIMIT).await.unwrap();
    }

    #[tokio::test]
    async fn a_missing_program_is_the_benchs_fault() {
        let power =
            PowerCommands { reset: vec!["no-such-program".into(), "1".into()], ..PowerCommands::default() };
        let error = power.reset(LIMIT).await.unwrap_err();
        let text = Chain(&error).to_string();
        let begin = "reset command `no-such-program 1` did not work: it cannot be run: No such file";
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(error.class(), Class::Bench);
    }

    #[tokio::test]
    async fn reset_without_a_command_is_off_and_on() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut power = PowerCommands {
            on: shell(&format!("echo on >> {}", log.display())),
            off: shell(&format!("echo off >> {}", log.display())),
            reset: Vec::new(),
        };
        power.reset(LIMIT).await.unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "off\non\n");
        power.reset = shell(&format!("echo reset > {}", log.display()));
        power.reset(LIMIT).await.unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "reset\n");
    }

    #[tokio::test]
    async fn a_board_that_cannot_be_switched_off_stays_on() {
        let power = PowerCommands { reset: shell("exit 1"), ..PowerCommands::default() };
        power.off(LIMIT).await.unwrap();
    }
}
