//! Whether the boards of a bench are on, as far as their switches tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Power, PowerError};
use crate::board::Board;

/// Asks for the state of each of `boards`, in their order, for `limit` each at most; `None` where nothing tells it. Boards of
/// one program or one switch are asked one after the other: a power switch may take one session only.
pub async fn states(boards: &[Arc<Board>], limit: Duration) -> Vec<Result<Option<bool>, PowerError>> {
    let mut switches: BTreeMap<String, Vec<(usize, Power)>> = BTreeMap::new();
    for (index, board) in boards.iter().enumerate() {
        let Some(power) = board.power.clone() else { continue };
        let Some(switch) = power.asked_of() else { continue };
        switches.entry(switch).or_default().push((index, power));
    }
    let asked = switches.into_values().map(|boards| async move {
        let mut told = Vec::new();
        for (index, power) in boards {
            told.push((index, power.status(limit).await));
        }
        told
    });
    let mut states: Vec<_> = boards.iter().map(|_| Ok(None)).collect();
    for (index, told) in asked.collect::<JoinSet<_>>().join_all().await.into_iter().flatten() {
        if let Some(state) = states.get_mut(index) {
            *state = told;
        }
    }
    states
}
