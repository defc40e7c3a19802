//! Power of a board, switched by the commands of the bench file.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::fault::Class;
use crate::program::{ProgramError, run_program};

/// How long a board stays off in a reset made of off and on, so that its capacitors discharge.
const OFF_TIME: Duration = Duration::from_secs(1);

/// The commands that switch a board's power. Each is a program and its arguments; no shell is involved. Several for one
/// purpose run one after the other, as long as they succeed.
///
/// A bench file gives `reset`, or both `on` and `off`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerCommands {
    /// Switch it on.
    pub on: Vec<Vec<String>>,
    /// Switch it off; must do no harm to a board that is off. Without one, the board stays on.
    pub off: Vec<Vec<String>>,
    /// Reset it. Without one, a reset is off, 1 s, on.
    pub reset: Vec<Vec<String>>,
    /// Tell whether it is on: a program that prints `on` or `off`, on a last line of its own.
    pub status: Option<Vec<String>>,
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
    /// Nothing: it is asked for.
    Status,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "power on",
            Self::Off => "power off",
            Self::Reset => "reset",
            Self::Status => "power status",
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
    pub kind: ProgramError,
}

impl PowerError {
    /// Whose fault it is: a command that is not there is the bench file's, one that fails is the bench's hardware.
    pub fn class(&self) -> Class {
        if self.kind.is_missing() { Class::Bench } else { Class::Infrastructure }
    }
}

impl PowerCommands {
    /// Switches the power on; `limit` is for all of its commands together.
    ///
    /// # Errors
    /// Where the command cannot be run, fails or takes too long.
    pub async fn on(&self, limit: Duration) -> Result<(), PowerError> {
        run(Switch::On, &self.on, limit).await
    }

    /// Whether the power is on; `None` if there is no command that tells it.
    ///
    /// # Errors
    /// As [`on`](Self::on), and if the command says neither `on` nor `off`.
    pub async fn status(&self, limit: Duration) -> Result<Option<bool>, PowerError> {
        let Some(argv) = &self.status else { return Ok(None) };
        let failed = |kind| PowerError { switch: Switch::Status, command: argv.join(" "), kind };
        let printed = run_program(argv, limit).await.map_err(failed)?;
        match printed.lines().next_back().map(|line| line.trim().to_ascii_lowercase()).as_deref() {
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            _ => Err(failed(ProgramError::Answer { wanted: "`on` or `off`", printed })),
        }
    }

    /// Switches the power off, if there is a command for it; `limit` is for all of its commands together.
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

/// Runs `commands` in their order, up to the first that fails; `limit` is for all of them together.
async fn run(switch: Switch, commands: &[Vec<String>], limit: Duration) -> Result<(), PowerError> {
    let started = Instant::now();
    let mut left = limit;
    for argv in commands {
        let ended = run_program(argv, left).await;
        ended.map_err(|kind| PowerError { switch, command: argv.join(" "), kind })?;
        left = limit.saturating_sub(started.elapsed());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::fd::AsRawFd as _;

    use super::*;
    use crate::fault::Chain;

    /// One command.
    fn shell(script: &str) -> Vec<Vec<String>> {
        vec![["sh", "-c", script].map(str::to_owned).to_vec()]
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
        let power = PowerCommands {
            reset: vec![vec!["no-such-program".into(), "1".into()]],
            ..PowerCommands::default()
        };
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
            ..PowerCommands::default()
        };
        power.reset(LIMIT).await.unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "off\non\n");
        power.reset = shell(&format!("echo reset > {}", log.display()));
        power.reset(LIMIT).await.unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "reset\n");
    }

    #[tokio::test]
    async fn several_commands_run_in_their_order_up_to_the_first_that_fails() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let say = |text: &str| shell(&format!("echo {text} >> {}", log.display()));
        let off = [say("relay"), say("hub"), shell("exit 3"), say("never")].concat();
        let power = PowerCommands { off, ..PowerCommands::default() };
        let error = power.off(LIMIT).await.unwrap_err();
        assert_eq!(error.command, "sh -c exit 3");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "relay\nhub\n");
    }

    #[tokio::test]
    async fn a_status_is_the_last_line_of_what_the_command_prints() {
        let status = async |script: &str| {
            let status = shell(script).pop();
            let power = PowerCommands { status, ..PowerCommands::default() };
            power.status(LIMIT).await.map_err(|error| Chain(&error).to_string())
        };
        assert_eq!(status("echo asking; echo On").await, Ok(Some(true)));
        assert_eq!(status("echo off").await, Ok(Some(false)));
        let told =
            "power status command `sh -c echo maybe` did not work: it printed `maybe` and not `on` or `off`";
        assert_eq!(status("echo maybe").await, Err(told.to_owned()));
        assert_eq!(PowerCommands::default().status(LIMIT).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_board_that_cannot_be_switched_off_stays_on() {
        let power = PowerCommands { reset: shell("exit 1"), ..PowerCommands::default() };
        power.off(LIMIT).await.unwrap();
    }
}
