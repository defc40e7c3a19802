//! The page's sections of a run that may go on, for a server.

use std::time::Duration;

use maud::Markup;

use crate::event::Event;
use crate::report::Results;

use super::{Seen, console, page};

/// What the page shows of a run, as far as its events have come.
#[derive(Debug)]
pub(crate) struct Live {
    results: Results,
    seen: Seen,
}

impl Live {
    /// Of a run that has no events yet.
    pub(crate) fn new() -> Self {
        Self { results: Results::default(), seen: Seen::new() }
    }

    /// Takes the next event.
    pub(crate) fn add(&mut self, event: &Event) {
        self.results.add(event);
        self.seen.add(event, &self.results);
    }

    /// What the run has come to so far.
    pub(crate) fn results(&self) -> &Results {
        &self.results
    }

    /// Says that the run goes on and has done so for `duration`, whatever its last event was.
    pub(crate) fn goes_on_for(&mut self, duration: Duration) {
        self.results.duration = self.results.duration.max(duration);
    }

    /// All sections but the consoles; of a run that `goes_on`, what is known so far.
    pub(crate) fn sections(&self, goes_on: bool) -> Markup {
        page::sections(&self.results, &self.seen, goes_on)
    }

    /// Whether the console of a node has said something.
    pub(crate) fn has_said(&self, node: &str) -> bool {
        self.seen.consoles.of(node).is_some()
    }

    /// The last lines of the consoles.
    pub(crate) fn consoles(&self) -> Markup {
        console::section(&self.results, &self.seen.consoles)
    }
}
