//! The boards of the bench file and who has them, by their leases. No board and no port is touched.

use schemars::JsonSchema;
use serde::Serialize;

use crate::board::Bench;
use crate::board::lease::{Held, Holder};
use crate::event::Outcome;
use crate::run::board_held;

use super::runs::{Run, State};

/// Whether somebody has a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Use {
    /// Nobody has it.
    Free,
    /// A run or command has it.
    Used,
    /// It is not known: the bench file has gone.
    Unknown,
}

/// A board of the bench.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct BoardLine {
    /// Its name in the bench file.
    pub(super) name: String,
    /// Its board type.
    #[serde(rename = "type")]
    pub(super) board_type: String,
    /// Device types that jobs may ask for.
    pub(super) device_types: Vec<String>,
    /// Words that jobs may ask for with `tags`.
    pub(super) tags: Vec<String>,
    /// Its IP address, if it is fixed.
    pub(super) address: Option<std::net::IpAddr>,
    /// Whether somebody has it.
    pub(super) state: Use,
    /// Who has it, if the holder says so.
    pub(super) holder: Option<Holder>,
    /// Its newest run.
    pub(super) last_run: Option<LastRun>,
}

/// The newest run of a board.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct LastRun {
    /// Name of the run's directory.
    pub(super) id: String,
    /// Name of its job.
    pub(super) job: String,
    /// How far it is.
    pub(super) state: State,
    /// How it ended.
    pub(super) outcome: Option<Outcome>,
    /// When it started.
    pub(super) started: Option<jiff::Timestamp>,
    /// How long it took, or has taken until its results were written last, in seconds.
    pub(super) duration_s: f64,
}

impl LastRun {
    fn of(run: &Run) -> Self {
        let Run { id, state, stored } = run;
        Self {
            id: id.clone(),
            job: stored.job.clone(),
            state: *state,
            outcome: stored.outcome,
            started: stored.started,
            duration_s: stored.duration_s,
        }
    }
}

/// The boards in the order of the bench file, each with its newest run of `runs`.
pub(super) fn list(bench: &Bench, runs: &[Run]) -> Vec<BoardLine> {
    let newest = |name: &str| {
        let of_board = runs.iter().filter(|run| run.stored.boards().contains(&name));
        of_board.max_by_key(|run| (run.state == State::Running, run.stored.started)).map(LastRun::of)
    };
    let line = |board: &crate::board::Board| {
        let (state, holder) = match board_held(bench, board) {
            Ok(Held::Free) => (Use::Free, None),
            Ok(Held::Silent(_)) => (Use::Used, None),
            Ok(Held::By(holder)) => (Use::Used, Some(holder)),
            Err(_) => (Use::Unknown, None),
        };
        BoardLine {
            name: board.name.clone(),
            board_type: board.board_type.clone(),
            device_types: board.device_types.clone(),
            tags: board.tags.clone(),
            address: board.address,
            state,
            holder,
            last_run: newest(&board.name),
        }
    };
    bench.boards.iter().map(|board| line(board)).collect()
}
