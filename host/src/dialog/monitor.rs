//! Listening for results on a line where nobody is asked anything.
//!
//! Source: LAVA's test monitors.

use std::fmt;
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::{Dialog, Expired, Scan};
use crate::limit::Deadline;

/// How long nothing may follow a text at the end of the output before it counts: it may go on.
const SETTLED: Duration = Duration::from_millis(200);

/// What is listened for.
#[derive(Clone, Debug)]
pub struct MonitorSettings {
    /// What comes before the results.
    pub start: Regex,
    /// What comes behind them.
    pub end: Regex,
    /// A result.
    pub pattern: Regex,
}

/// Takes a result: the named groups of the pattern with what they matched.
pub type OnResult = Box<dyn FnMut(Vec<(String, String)>) + Send>;

/// Waits for the start, then takes results until the end.
pub struct Listening {
    settings: MonitorSettings,
    on_result: OnResult,
    since: Instant,
    deadline: Deadline,
    scan: Scan,
    has_started: bool,
    settled_at: Option<Instant>,
    outcome: Option<Result<(), Expired>>,
    finished: bool,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("has_started", &self.has_started).finish_non_exhaustive()
    }
}

/// What was found next.
enum Found {
    Start(usize),
    End(usize),
    Result(usize, Vec<(String, String)>),
}

impl Listening {
    /// Begins to listen; ends by `deadline`.
    pub fn new(settings: MonitorSettings, on_result: OnResult, deadline: Deadline, now: Instant) -> Self {
        Self {
            settings,
            on_result,
            since: now,
            deadline,
            scan: Scan::default(),
            has_started: false,
            settled_at: None,
            outcome: None,
            finished: false,
        }
    }

    fn look(&mut self, now: Instant) {
        let settled = self.settled_at.is_some_and(|at| now >= at);
        while let Some(found) = self.next(settled) {
            match found {
                Found::Start(end) => {
                    self.has_started = true;
                    self.scan.advance(end);
                }
                Found::Result(end, groups) => {
                    (self.on_result)(groups);
                    self.scan.advance(end);
                }
                Found::End(end) => {
                    self.scan.advance(end);
                    self.finished = true;
                    self.outcome = Some(Ok(()));
                    return;
                }
            }
        }
    }

    /// The next text that means something. One at the very end of the output counts once that has `settled`.
    fn next(&self, settled: bool) -> Option<Found> {
        let pending = self.scan.pending();
        let is_whole = |end: usize| end > 0 && (settled || end < pending.len());
        if !self.has_started {
            let start = self.settings.start.find(pending).filter(|found| is_whole(found.end()))?;
            return Some(Found::Start(start.end()));
        }
        let end = self.settings.end.find(pending).filter(|found| is_whole(found.end()));
        let result = self.settings.pattern.captures(pending);
        let result = result.and_then(|found| {
            let whole = found.get(0).filter(|whole| is_whole(whole.end()) && !whole.is_empty())?;
            let groups = self.settings.pattern.capture_names().flatten().filter_map(|name| {
                let text = String::from_utf8_lossy(found.name(name)?.as_bytes()).into_owned();
                Some((name.to_owned(), text))
            });
            Some((whole.start(), whole.end(), groups.collect()))
        });
        match (end, result) {
            // As in LAVA, the end wins where both are.
            (Some(end), Some((start, ..))) if end.start() <= start => Some(Found::End(end.end())),
            (_, Some((_, end, groups))) => Some(Found::Result(end, groups)),
            (Some(end), None) => Some(Found::End(end.end())),
            (None, None) => None,
        }
    }
}

impl Dialog for Listening {
    type Done = ();
    type Error = Expired;

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.scan.push(bytes);
        self.settled_at = Some(now + SETTLED);
        if !self.finished {
            self.look(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.finished {
            return;
        }
        self.look(now);
        if self.settled_at.is_some_and(|at| now >= at) {
            self.settled_at = None;
        }
        if now >= self.deadline.at && !self.finished {
            let awaited = if self.has_started { &self.settings.end } else { &self.settings.start };
            let name = if self.has_started { "end" } else { "start" };
            let waited = self.deadline.at.saturating_duration_since(self.since);
            let awaited = format!("`{name}` of the monitor, `{awaited}`,");
            let expired = Expired::new(awaited, waited, &self.deadline.limit, &self.scan);
            self.finished = true;
            self.outcome = Some(Err(expired));
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        [Some(self.deadline.at), self.settled_at].into_iter().flatten().min()
    }

    fn poll_done(&mut self) -> Option<Result<(), Expired>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::limit::Limit;

    type Results = Arc<Mutex<Vec<Vec<(String, String)>>>>;

    fn listening() -> (Listening, Results, Instant) {
        let results = Results::default();
        let kept = Arc::clone(&results);
        let regex = |pattern| Regex::new(pattern).unwrap();
        let settings = MonitorSettings {
            start: regex("Running tests"),
            end: regex("PROJECT EXECUTION (SUCCESSFUL|FAILED)"),
            pattern: regex(r"(?P<result>PASS|FAIL) - (?P<test_case_id>\w+)\."),
        };
        let now = Instant::now();
        let limit = Limit::new(Duration::from_secs(30), "`timeout` of `test`, job.yaml:9:5");
        let deadline = Deadline { at: now + limit.time, limit };
        let on_result = Box::new(move |groups| kept.lock().unwrap().push(groups));
        (Listening::new(settings, on_result, deadline, now), results, now)
    }

    #[test]
    fn results_count_between_start_and_end_however_they_are_cut() {
        let said = b"PASS - early.\nRunning tests\nPASS - one.\nnoise\nFAIL - two.PASS - three.\nPROJECT EXECUTION FAILED\nPASS - late.\n";
        for cut in 0..said.len() {
            let (mut listening, results, now) = listening();
            listening.handle_input(now, &said[..cut]);
            listening.handle_input(now, &said[cut..]);
            assert_eq!(listening.poll_done(), Some(Ok(())), "cut at {cut}");
            let ids: Vec<_> = results.lock().unwrap().iter().map(|groups| groups[1].1.clone()).collect();
            assert_eq!(ids, ["one", "two", "three"], "cut at {cut}");
        }
    }

    #[test]
    fn an_end_without_a_newline_counts_once_nothing_follows() {
        let (mut listening, _, now) = listening();
        listening.handle_input(now, b"Running tests\nPROJECT EXECUTION FAILED");
        assert_eq!(listening.poll_done(), None);
        listening.handle_timeout(now + SETTLED);
        assert_eq!(listening.poll_done(), Some(Ok(())));
    }

    #[test]
    fn a_start_that_does_not_come_is_told() {
        let (mut listening, _, now) = listening();
        listening.handle_input(now, b"Booting\n");
        listening.handle_timeout(now + Duration::from_secs(30));
        let Some(Err(expired)) = listening.poll_done() else { panic!() };
        insta::assert_snapshot!(expired, @"
        no `start` of the monitor, `Running tests`, within 30 s (at most 30 s: `timeout` of `test`, job.yaml:9:5); the board last said:
          Booting
        ");
    }
}
