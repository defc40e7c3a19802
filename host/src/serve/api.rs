//! What programs are told: the answers of `/api`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::Outcome;
use crate::fault::Fault;
use crate::report::Results;

use super::Site;
use super::boards::{self, BoardLine};
use super::control::StartedRun;
use super::files::{self, StoredFile};
use super::runs::{self, Run, State};

/// Runs of one page.
pub(super) const PAGE: usize = 50;

/// `/api/boards`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Boards {
    /// In the order of the bench file; none without one.
    pub(super) boards: Vec<BoardLine>,
}

/// `/api/runs`: those that go on, then the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunList {
    /// How many there are in all.
    pub(super) total: usize,
    /// Which page this is, from 1.
    pub(super) page: usize,
    /// How many pages there are.
    pub(super) pages: usize,
    /// The runs of this page.
    pub(super) runs: Vec<RunLine>,
}

/// A run of the list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct RunLine {
    /// Name of its directory.
    pub(super) id: String,
    /// Name of its job.
    pub(super) job: String,
    /// How far it is.
    pub(super) state: State,
    /// How it ended; `None` while it goes on, or when it was cut off.
    pub(super) outcome: Option<Outcome>,
    /// The fault that decided it.
    pub(super) fault: Option<Fault>,
    /// When it started.
    pub(super) started: Option<jiff::Timestamp>,
    /// How long it took, or has taken so far, in seconds; of one that was cut off, up to its last results.
    pub(super) duration_s: f64,
    /// The boards that it ran on.
    pub(super) boards: Vec<String>,
}

/// `/api/runs/ID`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunAnswer {
    /// Name of its directory.
    pub(super) id: String,
    /// How far it is.
    pub(super) state: State,
    /// The offset of `run.jsonl` up to which this was read: `/api/runs/ID/events?from=` it goes on there.
    pub(super) offset: u64,
    /// What it has come to, as in `results.json`.
    pub(super) results: Results,
    /// Its files.
    pub(super) files: Vec<StoredFile>,
}

/// `/api/started`: the runs that were started here, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Started {
    /// Those that go on, and the last ones that have ended.
    pub(super) runs: Vec<StartedRun>,
}

/// A run was started.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StartedAnswer {
    /// Name of the directory that it will have once it has its boards.
    pub(super) id: String,
}

/// Keys were typed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct KeysAnswer {
    /// Why the board does not get them, if whoever has its console says so: an agent throws keys away.
    pub(super) warning: Option<&'static str>,
}

/// Why there is no answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorAnswer<'a> {
    /// In words.
    pub(super) error: &'a str,
    /// All that is wrong with a job file that was sent, if that is it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) problems: &'a [Problem],
}

/// A problem of a job file, or what keeps the bench from running it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// What is wrong.
    pub(super) message: String,
    /// Where: `job file:LINE:COLUMN`, both from 1, or a node or board.
    pub(super) place: String,
    /// What to do about it, if that can be said.
    pub(super) help: Option<String>,
}

impl From<&Run> for RunLine {
    fn from(run: &Run) -> Self {
        let Run { id, state, stored } = run;
        let so_far = stored
            .started
            .filter(|_| *state == State::Running)
            .map(|started| jiff::Timestamp::now().duration_since(started).as_secs_f64().max(0.0));
        Self {
            id: id.clone(),
            job: stored.job.clone(),
            state: *state,
            outcome: stored.outcome,
            fault: stored.fault.clone(),
            started: stored.started,
            duration_s: so_far.unwrap_or(stored.duration_s),
            boards: stored.boards().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl RunList {
    /// The page `page` of `runs`, from 1; the last one if there are fewer.
    pub(super) fn nearest(runs: &[Run], page: usize) -> Self {
        let pages = runs.len().div_ceil(PAGE).max(1);
        Self::of(runs, page.clamp(1, pages))
    }

    /// The page `page` of `runs`, from 1, which has no runs if there are fewer.
    pub(super) fn of(runs: &[Run], page: usize) -> Self {
        let pages = runs.len().div_ceil(PAGE).max(1);
        let before = page.saturating_sub(1).saturating_mul(PAGE);
        let lines = runs.iter().skip(before).take(PAGE).map(RunLine::from).collect();
        Self { total: runs.len(), page, pages, runs: lines }
    }
}

impl Site {
    /// The boards, each with its newest run of `runs`.
    pub(super) fn boards(&self, runs: &[Run]) -> Vec<BoardLine> {
        self.bench.as_ref().map(|bench| boards::list(bench, &self.powers, runs)).unwrap_or_default()
    }

    /// The runs that were started here.
    pub(super) fn started(&self) -> Vec<StartedRun> {
        self.control.as_ref().map(|control| control.started.list()).unwrap_or_default()
    }

    /// What the run `id` has come to; `None` if there is none.
    pub(super) fn run(&self, id: &str) -> Option<std::io::Result<RunAnswer>> {
        let directory = self.runs.find(id)?;
        Some(self.watched.with(id, &directory, |run| {
            let results = run.live().results().clone();
            let state = runs::state(&directory, results.outcome);
            let files = files::list(&directory);
            RunAnswer { id: id.to_owned(), state, offset: run.offset(), results, files }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::serve::runs::Stored;

    #[test]
    fn the_time_of_a_run_that_goes_on_is_that_so_far() {
        let started = jiff::Timestamp::now() - Duration::from_secs(100);
        let stored = || Stored { started: Some(started), duration_s: 1.0, ..Stored::default() };
        let told = |state| RunLine::from(&Run { id: "a".to_owned(), state, stored: Arc::new(stored()) });
        assert!((100.0..200.0).contains(&told(State::Running).duration_s));
        assert!((told(State::CutOff).duration_s - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_page_that_is_not_there_is_the_nearest_that_is() {
        let run = || Run { id: "a".to_owned(), state: State::CutOff, stored: Arc::default() };
        let runs: Vec<_> = std::iter::repeat_with(run).take(PAGE + 1).collect();
        let told = |page| {
            let list = RunList::nearest(&runs, page);
            (list.total, list.page, list.pages, list.runs.len())
        };
        assert_eq!((told(0), told(1)), ((51, 1, 2, 50), (51, 1, 2, 50)));
        assert_eq!((told(2), told(usize::MAX)), ((51, 2, 2, 1), (51, 2, 2, 1)));
        assert_eq!(RunList::nearest(&[], 1).pages, 1);
        // A program that reads until nothing comes comes to an end.
        assert!([3, usize::MAX].iter().all(|page| RunList::of(&runs, *page).runs.is_empty()));
    }
}
