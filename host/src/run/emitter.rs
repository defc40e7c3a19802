//! Where events are made: numbered, timed and handed to the reports, in one order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::event::{Bytes, Direction, Event, EventKind, seconds};
use crate::report::results::NodeResults;
use crate::report::{Reporter, Reports};
use crate::run::mask::{Mask, escape_texts};

/// Makes events and hands them to the reports; a clone speaks for the same run.
#[derive(Clone)]
pub struct Emitter {
    shared: Arc<Mutex<Shared>>,
    node: Option<Arc<str>>,
}

struct Shared {
    started: Instant,
    next: u64,
    reports: Reports,
    broken: Vec<String>,
    mask: Mask,
}

impl Emitter {
    /// Starts the run's clock.
    pub fn new(reports: Vec<Box<dyn Reporter>>) -> Self {
        let shared = Shared {
            started: Instant::now(),
            next: 0,
            reports: Reports::new(reports),
            broken: Vec::new(),
            mask: Mask::default(),
        };
        Self { shared: Arc::new(Mutex::new(shared)), node: None }
    }

    /// Keeps the values of `secrets`, names and values, out of all events from now on.
    pub fn mask(&self, secrets: &[(String, String)]) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.mask = Mask::new(secrets.iter().map(|(_, value)| value.clone()));
    }

    /// The same run, speaking for one node.
    #[must_use]
    pub fn for_node(&self, node: &str) -> Self {
        Self { shared: Arc::clone(&self.shared), node: Some(node.into()) }
    }

    /// Reports that something happened.
    pub fn emit(&self, kind: EventKind) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let node = self.node.as_deref();
        for mut kind in shared.mask.apply(node, kind) {
            escape_texts(&mut kind);
            shared.publish(node, kind);
        }
    }

    /// Reports something worth a line.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(EventKind::Note { text: text.into() });
    }

    /// Reports something that should be looked at.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(EventKind::Warning { text: text.into() });
    }

    /// Reports bytes on a console.
    pub fn console(&self, direction: Direction, bytes: &[u8]) {
        self.emit(EventKind::Console { direction, data: Bytes(bytes.to_vec()) });
    }

    /// What `node` has come to so far.
    pub(crate) fn node_results(&self, node: &str) -> Option<NodeResults> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.reports.results().nodes.iter().find(|results| results.name == node).cloned()
    }

    /// The reports that could not be written, each with its error.
    pub fn broken_reports(&self) -> Vec<String> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }
}

impl Shared {
    fn publish(&mut self, node: Option<&str>, kind: EventKind) {
        let event = Event {
            seq: self.next,
            at: jiff::Timestamp::now(),
            elapsed: seconds::round(self.started.elapsed()),
            node: node.map(str::to_owned),
            kind: kind.rounded(),
        };
        self.next += 1;
        for broken in self.reports.report(&event) {
            let text = broken.to_string();
            self.broken.push(text.clone());
            self.publish(None, EventKind::Warning { text });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::report::Results;

    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Reporter for Notes {
        fn name(&self) -> &'static str {
            "notes"
        }

        fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
            if let EventKind::Note { text } = &event.kind {
                self.0.lock().unwrap().push(text.clone());
            }
            Ok(())
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_before_any_report_has_it() {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let emitter = Emitter::new(vec![Box::new(Notes(Arc::clone(&notes)))]);
        emitter.note("lava-test-event: \u{1b}]0;x\u{7}\u{202e}\r two\n\tlines ä");
        assert_eq!(*notes.lock().unwrap(), ["lava-test-event: \\u{1b}]0;x\\u{7}\\u{202e}\\r two\n\tlines ä"]);
    }
}
