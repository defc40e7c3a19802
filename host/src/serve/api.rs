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
    /// How long it took, or has taken until its results were written last, in seconds.
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

/// Why there is no answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorAnswer<'a> {
    /// In words.
    pub(super) error: &'a str,
}

impl From<&Run> for RunLine {
    fn from(run: &Run) -> Self {
        let Run { id, state, stored } = run;
        Self {
            id: id.clone(),
            job: stored.job.clone(),
            state: *state,
            outcome: stored.outcome,
            fault: stored.fault.clone(),
            started: stored.started,
            duration_s: stored.duration_s,
            boards: stored.boards().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl RunList {
    /// The page `page` of `runs`, from 1; the last one if there are fewer.
    pub(super) fn of(runs: &[Run], page: usize) -> Self {
        let pages = runs.len().div_ceil(PAGE).max(1);
        let page = page.clamp(1, pages);
        let lines = runs.iter().skip((page - 1) * PAGE).take(PAGE).map(RunLine::from).collect();
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
    use super::*;

    #[test]
    fn a_page_that_is_not_there_is_the_nearest_that_is() {
        let run = || Run { id: "a".to_owned(), state: State::CutOff, stored: std::sync::Arc::default() };
        let runs: Vec<_> = std::iter::repeat_with(run).take(PAGE + 1).collect();
        let told = |page| {
            let list = RunList::of(&runs, page);
            (list.total, list.page, list.pages, list.runs.len())
        };
        assert_eq!((told(0), told(1)), ((51, 1, 2, 50), (51, 1, 2, 50)));
        assert_eq!((told(2), told(usize::MAX)), ((51, 2, 2, 1), (51, 2, 2, 1)));
        assert_eq!(RunList::of(&[], 1).pages, 1);
    }
}
