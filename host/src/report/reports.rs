//! All reports of a run.

use std::fmt;
use std::io;

use crate::event::Event;
use crate::report::{Reporter, Results};

/// All reports of a run, and the one fold of its events that they share.
pub struct Reports {
    reports: Vec<Box<dyn Reporter>>,
    results: Results,
}

/// A report that could not be written. The others go on.
#[derive(Debug)]
pub struct Broken {
    /// Its name, such as `junit.xml`.
    pub name: &'static str,
    /// Why.
    pub error: io::Error,
}

impl Reports {
    /// Of a run that has no events yet.
    pub fn new(reports: Vec<Box<dyn Reporter>>) -> Self {
        Self { reports, results: Results::default() }
    }

    /// Hands the next event to every report, and returns those that failed; they get no more events.
    pub fn report(&mut self, event: &Event) -> Vec<Broken> {
        self.results.add(event);
        self.each(|report, results| report.report(event, results))
    }

    /// The events have ended before the last one of a run.
    pub fn cut_off(&mut self) -> Vec<Broken> {
        self.each(|report, results| report.cut_off(results))
    }

    /// What the run has come to so far.
    pub fn results(&self) -> &Results {
        &self.results
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn Reporter, &Results) -> io::Result<()>) -> Vec<Broken> {
        let Self { reports, results } = self;
        let mut broken = Vec::new();
        reports.retain_mut(|report| match tell(report.as_mut(), results) {
            Ok(()) => true,
            Err(error) => {
                let failed = Broken { name: report.name(), error };
                // The reports behind it know: the terminal's is the last.
                results.unwritten.push(failed.to_string());
                broken.push(failed);
                false
            }
        });
        broken
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be written: {}", self.name, self.error)
    }
}
