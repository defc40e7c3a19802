//! Whether boards are on, as their switches tell: asked for while somebody looks, and by one task only, however many look.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::board::Bench;
use crate::board::power::States;
use crate::fault::Chain;

/// How long a switch may take to tell its state.
const LIMIT: Duration = Duration::from_secs(10);
/// How old an answer is at least before it is asked for again.
const EVERY: Duration = Duration::from_secs(10);
/// How long those who ask first wait for the switches.
pub(super) const FIRST: Duration = Duration::from_secs(2);

/// What a switch told last: on, off, nothing, or why it could not be asked.
pub(super) type Told = Result<Option<bool>, String>;

/// What was told last of each board.
#[derive(Debug, Default)]
pub(super) struct Powers {
    told: Mutex<HashMap<String, Told>>,
    wanted: Notify,
    at_once: Notify,
    news: Notify,
}

impl Powers {
    /// What was told last of `board`. It is asked for again, for whoever looks next.
    pub(super) fn of(&self, board: &str) -> Told {
        self.wanted.notify_one();
        self.told().get(board).cloned().unwrap_or(Ok(None))
    }

    /// Waits until all boards of `bench` have been asked for once, or the time for that is over.
    pub(super) async fn first(&self, bench: &Bench) {
        self.wanted.notify_one();
        let all = async {
            loop {
                let mut news = std::pin::pin!(self.news.notified());
                // What comes between the look and the wait counts.
                news.as_mut().enable();
                if bench.boards.iter().all(|board| self.told().contains_key(&board.name)) {
                    return;
                }
                news.await;
            }
        };
        // Those that are late are told as not known.
        let _ = timeout(FIRST, all).await;
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
            let mut states = States::ask(&bench.boards, LIMIT);
            while let Some((index, state)) = states.next().await {
                let Some(board) = bench.boards.get(index) else { continue };
                let state = state.map_err(|error| Chain(&error).to_string());
                self.told().insert(board.name.clone(), state);
                self.news.notify_waiters();
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = self.at_once.notified() => {}
            }
        }
    }

    fn told(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
