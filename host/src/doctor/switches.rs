//! What switches the boards' power: whether it can be reached, and tells its state. Nothing is switched.

use std::time::Duration;

use super::finding::{Check, Finding, Findings};
use crate::board::Bench;
use crate::board::power::{Switch, states};
use crate::fault::Chain;

/// How long a switch may take to tell the state of one board: longer than the tries of SNMP.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks for the state of all boards where it can be told.
pub(super) async fn check(bench: &Bench, findings: &mut Findings<'_>) {
    for (board, state) in bench.boards.iter().zip(states(&bench.boards, LIMIT).await) {
        let Some(power) = board.power.as_ref().filter(|power| power.can(Switch::Status)) else { continue };
        findings.add(match state {
            Ok(Some(is_on)) => {
                let word = if is_on { "on" } else { "off" };
                Finding::ok(Check::Power, &board.name, format!("{power}: it is {word}"))
            }
            Ok(None) => {
                Finding::unknown(Check::Power, &board.name, format!("{power}: it does not tell its state"))
            }
            Err(error) => {
                let finding = Finding::fault(Check::Power, &board.name, error.class(), Chain(&error));
                match error.help() {
                    Some(help) => finding.with_help(help),
                    None => finding,
                }
            }
        });
    }
}
