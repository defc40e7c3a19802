//! The boards of the bench file: who has them and who waits, by their leases; whether they are on, by what switches told.

use schemars::JsonSchema;
use serde::Serialize;

use crate::board::lease::{Held, Holder};
use crate::board::power::Switch;
use crate::board::{Bench, Board};
use crate::run::{Queue, board_held};

use super::api::RunLine;
use super::powers::Powers;
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
    /// Who waits for it, in their order.
    pub(super) waiting: Vec<Holder>,
    /// Whether its power is on; null where nothing tells, or has not answered yet: the first to ask wait 2 s for that.
    pub(super) is_on: Option<bool>,
    /// Why that is not known, if it should be.
    pub(super) problem: Option<String>,
    /// Whether a program can switch it off and on.
    pub(super) can_switch: bool,
    /// Its newest run.
    pub(super) last_run: Option<RunLine>,
}

/// The boards in the order of the bench file, each with its newest run of `runs`.
pub(super) fn list(bench: &Bench, powers: &Powers, runs: &[Run]) -> Vec<BoardLine> {
    let newest = |name: &str| {
        let of_board = runs.iter().filter(|run| run.stored.boards().contains(&name));
        of_board.max_by_key(|run| (run.state == State::Running, run.stored.started)).map(RunLine::from)
    };
    let queue = Queue::read(bench).ok();
    let waiting = |board: &Board| queue.as_ref()?.waiting_for(bench, board).ok();
    let line = |board: &Board| {
        let (state, holder) = match board_held(bench, board) {
            Ok(Held::Free) => (Use::Free, None),
            Ok(Held::Silent(_)) => (Use::Used, None),
            Ok(Held::By(holder)) => (Use::Used, Some(holder)),
            Err(_) => (Use::Unknown, None),
        };
        let (is_on, problem) = match powers.of(&board.name) {
            Ok(is_on) => (is_on, None),
            Err(why) => (None, Some(why)),
        };
        BoardLine {
            name: board.name.clone(),
            board_type: board.board_type.clone(),
            device_types: board.device_types.clone(),
            tags: board.tags.clone(),
            address: board.address,
            state,
            holder,
            waiting: waiting(board).unwrap_or_default(),
            is_on,
            problem,
            can_switch: board
                .power
                .as_ref()
                .is_some_and(|power| !power.is_by_hand() && power.can(Switch::On) && power.can(Switch::Off)),
            last_run: newest(&board.name),
        }
    };
    bench.boards.iter().map(|board| line(board)).collect()
}
