//! The programs that the bench file names for a board: power, console, a job's commands.

use super::finding::{Check, Finding, Findings};
use crate::board::{Board, ConsoleTarget, Programs};

/// Checks that the programs of a board are there.
pub(super) fn check(board: &Board, findings: &mut Findings<'_>) {
    let programs = Programs::of(board);
    let names: Vec<_> = programs.names().collect();
    if names.is_empty() {
        if matches!(board.console, ConsoleTarget::Line(_)) {
            findings.add(Finding::ok(Check::Programs, &board.name, needs_none(board)));
        }
        return;
    }
    let missing = programs.missing(&board.name);
    if missing.is_empty() {
        findings.add(Finding::ok(Check::Programs, &board.name, names.join(", ")));
    }
    for fault in missing {
        findings.add(Finding::from_fault(Check::Programs, &board.name, fault));
    }
}

/// Why a board needs no program.
fn needs_none(board: &Board) -> String {
    match &board.power {
        Some(power) if power.is_by_hand() => {
            "none: whoever starts a run is asked to switch its power, and the run waits for that".to_owned()
        }
        Some(power) => format!("none: its power is switched {power}"),
        None => "none: its power is switched by hand; runs say when, and do not wait for it".to_owned(),
    }
}
