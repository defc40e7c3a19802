//! Whether the boards of a bench are on, as far as their switches tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Power, PowerError};
use crate::board::Board;

/// What a switch tells: on, off, nothing, or why it does not tell.
pub type State = Result<Option<bool>, PowerError>;

/// The states of boards, each as soon as it is known. The switches are no longer asked once this is dropped.
#[derive(Debug)]
pub struct States {
    told: mpsc::UnboundedReceiver<(usize, State)>,
    _asking: JoinSet<()>,
}

impl States {
    /// Asks for the state of each of `boards`, for `limit` each at most. Boards of one program or one switch are asked one
    /// after the other, as a power switch may take one session only; switches are asked side by side.
    ///
    /// Must be called within a runtime.
    pub fn ask(boards: &[Arc<Board>], limit: Duration) -> Self {
        // There is one message for each board at most.
        let (sender, told) = mpsc::unbounded_channel();
        let mut switches: BTreeMap<String, Vec<(usize, Power)>> = BTreeMap::new();
        for (index, board) in boards.iter().enumerate() {
            let asked = board.power.clone().and_then(|power| Some((power.asked_of()?, power)));
            match asked {
                Some((switch, power)) => switches.entry(switch).or_default().push((index, power)),
                // Nobody is left to be told where the other end is gone; so below.
                None => drop(sender.send((index, Ok(None)))),
            }
        }
        let asking = switches.into_values().map(|boards| {
            let sender = sender.clone();
            async move {
                for (index, power) in boards {
                    let _ = sender.send((index, power.status(limit).await));
                }
            }
        });
        Self { told, _asking: asking.collect() }
    }

    /// The next board's number, from 0 in the order in which they were given, and its state; `None` after the last one.
    pub async fn next(&mut self) -> Option<(usize, State)> {
        self.told.recv().await
    }
}

/// The state of each of `boards`, in their order, as [`States`] asks for them; `None` where nothing tells it.
pub async fn states(boards: &[Arc<Board>], limit: Duration) -> Vec<State> {
    let mut asked = States::ask(boards, limit);
    let mut states: Vec<_> = boards.iter().map(|_| Ok(None)).collect();
    while let Some((index, told)) = asked.next().await {
        if let Some(state) = states.get_mut(index) {
            *state = told;
        }
    }
    states
}
