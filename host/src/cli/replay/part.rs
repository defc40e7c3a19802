//! The part of a run that is shown.

use std::path::Path;
use std::time::Duration;

use crate::event::{Event, EventKind};
use crate::fault::{Class, Fault};
use crate::report::jsonl::{self, ReadError};

use super::args::When;
use super::no_run;

/// From when until when a run is shown, in time since its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) from: Duration,
    until: Option<Duration>,
}

impl Part {
    /// Looks up the phases that are named: the first of that name of any node begins it, the last ends it.
    pub(super) fn find(path: &Path, from: Option<&When>, until: Option<&When>) -> Result<Self, Fault> {
        let is_named = |when: Option<&When>| matches!(when, Some(When::Phase(_)));
        let mut phases = Vec::new();
        if is_named(from) || is_named(until) {
            jsonl::read::<ReadError>(path, |event| {
                match event.kind {
                    EventKind::PhaseStarted { phase, .. } => phases.push((phase, true, event.elapsed)),
                    EventKind::PhaseFinished { phase, .. } => phases.push((phase, false, event.elapsed)),
                    _ => {}
                }
                Ok(())
            })
            .map_err(|error| no_run(path, &error))?;
        }
        let begin = |wanted: &str| phases.iter().find(|(name, begins, _)| *begins && name == wanted);
        let end = |wanted: &str| phases.iter().rfind(|(name, begins, _)| !begins && name == wanted);
        let absent = |name: &str, what: &str| {
            let mut names: Vec<_> = Vec::new();
            for (name, ..) in &phases {
                let name = format!("`{name}`");
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let text = format!("no phase `{name}` {what} in this run");
            Fault::new(Class::Usage, path.display().to_string(), text)
                .with_help(format!("its phases are {}", names.join(", ")))
        };
        let from = match from {
            None => Duration::ZERO,
            Some(When::At(time)) => *time,
            Some(When::Phase(name)) => {
                begin(name).map(|found| found.2).ok_or_else(|| absent(name, "begins"))?
            }
        };
        let until = match until {
            None => None,
            Some(When::At(time)) => Some(*time),
            Some(When::Phase(name)) => {
                Some(end(name).map(|found| found.2).ok_or_else(|| absent(name, "ends"))?)
            }
        };
        Ok(Self { from, until })
    }

    /// Whether the event comes after it.
    pub(super) fn is_over(&self, event: &Event) -> bool {
        self.until.is_some_and(|until| event.elapsed > until)
    }
}
