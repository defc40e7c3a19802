//! `logs.yaml`: a record a line, of what the board said, what it was told and what the runner did.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use serde::Serialize;

use crate::event::{Event, EventKind};
use crate::fault::Fault;
use crate::report::yaml;
use crate::text::clip;

use super::record::Record;

/// Longest message, in bytes: LAVA's own limit of a line is 100 000 characters.
const MAX_MESSAGE: usize = 16 * 1024;

/// Whose words a record holds: LAVA's levels, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// The runner's, in detail.
    Debug,
    /// The runner's.
    Info,
    /// The runner's: something should be looked at.
    Warning,
    /// The runner's: what went wrong.
    Error,
    /// What was typed on the board's console.
    Input,
    /// What the board said.
    Target,
    /// A result.
    Results,
}

/// What a record says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Message<'a> {
    /// Words.
    Text(&'a str),
    /// A result.
    Result(&'a Record<'a>),
}

#[derive(Serialize)]
struct Line<'a> {
    dt: String,
    lvl: Level,
    msg: Message<'a>,
}

/// The log of a node.
pub(super) struct Log {
    file: BufWriter<File>,
    lines: u64,
}

impl Log {
    pub(super) fn new(file: BufWriter<File>) -> Self {
        Self { file, lines: 0 }
    }

    /// Lines so far: the number of the next one, from 0.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn write(&mut self, at: jiff::Timestamp, level: Level, text: &str) -> io::Result<()> {
        self.message(at, level, Message::Text(&clip(text, MAX_MESSAGE)))
    }

    pub(super) fn message(&mut self, at: jiff::Timestamp, lvl: Level, msg: Message<'_>) -> io::Result<()> {
        // Without a zone, as LAVA writes it; it is UTC.
        let dt = at.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        self.lines += 1;
        writeln!(self.file, "- {}", yaml::to_line(&Line { dt, lvl, msg })?)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What the runner says of an event, and how loud.
pub(super) fn line(event: &Event) -> Option<(Level, String)> {
    let said = match &event.kind {
        EventKind::PhaseStarted { phase, timeout, .. } => {
            (Level::Info, format!("start: {phase} (timeout {})", clock(timeout.as_secs())))
        }
        EventKind::PhaseFinished { phase, took, outcome } => {
            (Level::Debug, format!("end: {phase} {outcome} (duration {})", clock(took.as_secs())))
        }
        EventKind::Note { text } => (Level::Info, text.clone()),
        EventKind::Warning { text } => (Level::Warning, text.clone()),
        EventKind::AttemptFailed { phase, attempt, of, reason } => {
            (Level::Warning, format!("{phase} failed: {attempt} of {of} attempts. {reason}"))
        }
        EventKind::Kernel { complaint, text, .. } => (Level::Warning, format!("kernel {complaint}: {text}")),
        EventKind::DefinitionStarted { definition, .. } => (Level::Info, format!("definition {definition}")),
        EventKind::StepStarted { step, command, .. } => {
            (Level::Debug, format!("{} step {}: {command}", step.script, step.number))
        }
        EventKind::ScriptFinished { definition, script, status, .. } => {
            (Level::Debug, format!("{definition}: the {script} steps ended with {status}"))
        }
        EventKind::DefinitionFinished { definition, outcome, reason, .. } => {
            let reason = reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            (Level::Info, format!("definition {definition} {outcome}{reason}"))
        }
        EventKind::Group { text } => (Level::Debug, format!("group: {text}")),
        EventKind::NodeFinished { fault: Some(fault), .. }
        | EventKind::RunFinished { fault: Some(fault), .. } => (Level::Error, told(fault)),
        EventKind::RunStarted { .. }
        | EventKind::JobRead { .. }
        | EventKind::Progress { .. }
        | EventKind::Console { .. }
        | EventKind::Output { .. }
        | EventKind::TestCase(_)
        | EventKind::TestSet { .. }
        | EventKind::NodeFinished { .. }
        | EventKind::RunFinished { .. } => return None,
    };
    Some(said)
}

fn told(fault: &Fault) -> String {
    let help = fault.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    format!("{} error, {}: {}{help}", fault.class, fault.place, fault.message)
}

/// A number of seconds as LAVA writes it: `00:15:00`.
fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
