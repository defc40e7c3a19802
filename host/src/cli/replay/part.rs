//! The part of a run that is shown.

use std::path::Path;
use std::time::Duration;

use crate::event::{Event, EventKind};
use crate::fault::{Class, Fault};
use crate::report::jsonl::{self, ReadError};
use crate::report::terminal::Moment;

use super::args::When;
use super::no_run;

/// From when until when a run is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) from: Moment,
    until: Moment,
}

/// What is known of the run: the moments at which its phases begin and end, and when it ends itself.
#[derive(Debug, Default)]
struct Known {
    phases: Vec<(String, Edge, Moment)>,
    end: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

impl Part {
    /// Looks up the phases that are named: the first of that name of any node begins it, the last ends it.
    pub(super) fn find(path: &Path, from: Option<&When>, until: Option<&When>) -> Result<Self, Fault> {
        let all = Self { from: Moment::default(), until: Moment { elapsed: Duration::MAX, event: u64::MAX } };
        if from.is_none() && until.is_none() {
            return Ok(all);
        }
        let known = Known::read(path).map_err(|error| no_run(path, &error))?;
        let fault = |text: String| Fault::new(Class::Usage, path.display().to_string(), text);
        let at = |(text, help): (String, String)| fault(text).with_help(help);
        let part = Self {
            from: match from {
                None => all.from,
                Some(When::At(elapsed)) => Moment { elapsed: *elapsed, event: 0 },
                Some(When::Phase(name)) => known.find(name, Edge::Begin).map_err(at)?,
            },
            until: match until {
                None => all.until,
                Some(When::At(elapsed)) => Moment { elapsed: *elapsed, event: u64::MAX },
                Some(When::Phase(name)) => known.find(name, Edge::End).map_err(at)?,
            },
        };
        if part.from.elapsed > known.end {
            return Err(fault(format!("the run has ended after {:.1} s", known.end.as_secs_f64())));
        }
        if part.from.elapsed > part.until.elapsed || part.from.event > part.until.event {
            return Err(fault("the part of the run ends before it begins".to_owned()));
        }
        Ok(part)
    }

    /// Whether the event comes after it.
    pub(super) fn is_over(&self, event: &Event) -> bool {
        event.elapsed > self.until.elapsed || event.seq > self.until.event
    }
}

impl Known {
    fn read(path: &Path) -> Result<Self, ReadError> {
        let mut known = Self::default();
        jsonl::read::<ReadError>(path, |event| {
            let moment = Moment { elapsed: event.elapsed, event: event.seq };
            known.end = event.elapsed;
            match event.kind {
                EventKind::PhaseStarted { phase, .. } => known.phases.push((phase, Edge::Begin, moment)),
                EventKind::PhaseFinished { phase, .. } => known.phases.push((phase, Edge::End, moment)),
                _ => {}
            }
            Ok(())
        })?;
        Ok(known)
    }

    /// When the first phase of that name begins, or the last one ends; else what to say.
    fn find(&self, name: &str, edge: Edge) -> Result<Moment, (String, String)> {
        let mut named = self.phases.iter().filter(|(phase, at, _)| phase == name && *at == edge);
        let (found, what) = match edge {
            Edge::Begin => (named.next(), "begins"),
            Edge::End => (named.next_back(), "ends"),
        };
        found.map(|(.., moment)| *moment).ok_or_else(|| {
            let mut names: Vec<String> = Vec::new();
            for (phase, ..) in &self.phases {
                let phase = format!("`{phase}`");
                if !names.contains(&phase) {
                    names.push(phase);
                }
            }
            let text = format!("no phase `{name}` {what} in this run");
            (text, format!("its phases are {}; a moment is a number of seconds", names.join(", ")))
        })
    }
}
