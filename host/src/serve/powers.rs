//! Whether boards are on, as their switches tell: asked for while somebody looks, and by one task only, however many look.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::board::Bench;
use crate::board::power::states;
use crate::fault::Chain;

/// How long a switch may take to tell its state.
const LIMIT: Duration = Duration::from_secs(10);
/// How old an answer is at least before it is asked for again.
const EVERY: Duration = Duration::from_secs(10);

/// What a switch told last: on, off, nothing, or why it could not be asked.
pub(super) type Told = Result<Option<bool>, String>;

/// What was told last of each board.
#[derive(Debug, Default)]
pub(super) struct Powers {
    told: Mutex<HashMap<String, Told>>,
    wanted: Notify,
    at_once: Notify,
}

impl Powers {
    /// What was told last of `board`. It is asked for again, for whoever looks next.
    pub(super) fn of(&self, board: &str) -> Told {
        self.wanted.notify_one();
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(board).cloned().unwrap_or(Ok(None))
    }

    /// A switch was used.
    pub(super) fn ask_again(&self) {
        self.wanted.notify_one();
        self.at_once.notify_one();
    }

    /// Asks whenever somebody wants to know.
    pub(super) async fn ask_on(&self, bench: &Bench) -> ! {
        loop {
            self.wanted.notified().await;
            let told = states(&bench.boards, LIMIT).await;
            let names = bench.boards.iter().map(|board| board.name.clone());
            let told = told.into_iter().map(|told| told.map_err(|error| Chain(&error).to_string()));
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = names.zip(told).collect();
            tokio::select! {
                () = sleep(EVERY) => {}
                () = self.at_once.notified() => {}
            }
        }
    }
}
