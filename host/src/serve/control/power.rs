//! Switching a board's power.

use std::sync::Arc;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::board::power::{Change, Power, Switch};
use crate::board::{Bench, Board};
use crate::fault::Chain;
use crate::run::{power_of, take_board};
use crate::serve::Site;

use super::{Refusal, board_of};

/// What is to be done to the power of a board.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct PowerOrder {
    switch: Order,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    On,
    Off,
    /// The bench file's `reset`, or off, a while, and on.
    Cycle,
}

/// What was done to the power.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct PowerAnswer {
    /// What was done: `cycle` is `reset` where what switches the board can do that by itself.
    done: Change,
    /// Whether the board is on, by what switches it; `null` where that cannot tell.
    is_on: Option<bool>,
}

/// What an order is.
const HOW: &str = r#"an order is {"switch":"on"}, {"switch":"off"} or {"switch":"cycle"}"#;

/// Switches the power of the board `name`, which nobody may have.
pub(super) async fn switch(site: &Arc<Site>, name: &str, body: &[u8]) -> Result<PowerAnswer, Refusal> {
    let order: PowerOrder = serde_json::from_slice(body)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("{HOW} ({error})")))?;
    let (bench, board) = board_of(site, name)?;
    let (switch, word) = match order.switch {
        Order::On => (Switch::On, "on"),
        Order::Off => (Switch::Off, "off"),
        Order::Cycle => (Switch::Reset, "cycle"),
    };
    let power = power_of(bench, &board, switch)
        .map_err(|fault| Refusal::new(StatusCode::CONFLICT, fault.to_string()))?;
    if power.is_by_hand() {
        return Err(Refusal::new(StatusCode::CONFLICT, "this board is switched by hand"));
    }
    let done = match order.switch {
        Order::On => Change::On,
        Order::Off => Change::Off,
        Order::Cycle => power.reset_is(),
    };
    // In a task of its own: a client that goes away must not leave a board half switched.
    let switched = tokio::spawn(leased(bench.clone(), board, power, switch, word)).await;
    let is_on =
        switched.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??;
    site.powers.ask_again();
    Ok(PowerAnswer { done, is_on })
}

async fn leased(
    bench: Bench,
    board: Arc<Board>,
    power: Power,
    switch: Switch,
    word: &'static str,
) -> Result<Option<bool>, Refusal> {
    let command = format!("host-runner serve: power {word}");
    let lease = spawn_blocking(move || take_board(&bench, &board, command)).await;
    let lease = lease
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
        .map_err(|fault| Refusal::new(StatusCode::CONFLICT, fault.to_string()))?;
    let limit = power.usual_limit().unwrap_or_default();
    let done = power.run(switch, limit, &|_| {}).await;
    drop(lease);
    done.map_err(|error| Refusal::new(StatusCode::BAD_GATEWAY, Chain(&error).to_string()))
}
