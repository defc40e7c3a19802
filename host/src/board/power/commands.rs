//! Commands of the bench file that switch power.

use std::time::Duration;

use super::{PowerError, PowerErrorKind, Switch, Time};
use crate::program::{ProgramError, run_program};

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
    /// Reset it. Without one, a reset is off, a while, on.
    pub reset: Vec<Vec<String>>,
    /// Tell whether it is on: a program that prints `on` or `off`, on a last line of its own.
    pub status: Option<Vec<String>>,
}

impl PowerCommands {
    /// Whether there is a command for this, or what stands in for it.
    pub(super) const fn can(&self, switch: Switch) -> bool {
        match switch {
            Switch::On => !self.on.is_empty(),
            Switch::Off => !self.off.is_empty(),
            Switch::Reset => !self.reset.is_empty() || (!self.on.is_empty() && !self.off.is_empty()),
            Switch::Status => self.status.is_some(),
        }
    }

    /// Runs the commands for `switch` in their order, up to the first that fails; `limit` is for all of them together.
    pub(super) async fn run(&self, switch: Switch, limit: Duration) -> Result<(), PowerError> {
        let commands = match switch {
            Switch::On => &self.on,
            Switch::Off => &self.off,
            Switch::Reset => &self.reset,
            Switch::Status => return self.state(limit).await.map(drop),
        };
        let time = Time::new(limit);
        for argv in commands {
            run_program(argv, time.left()).await.map_err(|kind| error(switch, argv, kind))?;
        }
        Ok(())
    }

    /// Whether the power is on; `None` if there is no command that tells it.
    pub(super) async fn state(&self, limit: Duration) -> Result<Option<bool>, PowerError> {
        let Some(argv) = &self.status else { return Ok(None) };
        let failed = |kind| error(Switch::Status, argv, kind);
        let printed = run_program(argv, limit).await.map_err(failed)?;
        match printed.lines().next_back().map(|line| line.trim().to_ascii_lowercase()).as_deref() {
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            _ => Err(failed(ProgramError::Answer { wanted: "`on` or `off`", printed })),
        }
    }
}

fn error(switch: Switch, argv: &[String], kind: ProgramError) -> PowerError {
    let is_late = matches!(kind, ProgramError::Timeout { .. });
    PowerError {
        switch,
        by: format!("command `{}`", argv.join(" ")),
        kind: Box::new(PowerErrorKind::Program(kind)),
        is_late,
    }
}
