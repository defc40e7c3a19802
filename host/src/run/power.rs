//! What switches a board for a command.

use crate::board::power::{Power, Switch};
use crate::board::{Bench, Board};
use crate::fault::{Class, Fault};

/// What switches `board`, if it can do `switch`.
///
/// # Errors
/// A fault that says what the bench file would have to name.
pub fn power_of(bench: &Bench, board: &Board, switch: Switch) -> Result<Power, Fault> {
    let name = &board.name;
    let fault = |text: String, help: String| {
        Fault::new(Class::Bench, bench.path.display().to_string(), text).with_help(help)
    };
    if board.is_virtual() {
        let text = format!("board `{name}` is a virtual one: it is on while a run has it");
        return Err(fault(text, "there is nothing to switch".to_owned()));
    }
    let power = board.power.clone().ok_or_else(|| {
        let text = match switch {
            Switch::Status => {
                format!("whether board `{name}` is on is not known: its power is switched by hand")
            }
            _ => format!("the power of board `{name}` is switched by hand"),
        };
        let help = format!(
            "`[boards.{name}.power]` is where the bench file can name what switches it (docs/power.md)"
        );
        fault(text, help)
    })?;
    if power.can(switch) {
        return Ok(power);
    }
    let action = match switch {
        Switch::On => "on",
        Switch::Off => "off",
        Switch::Reset => "cycle",
        Switch::Status => "status",
    };
    let (lacks, help) = match power.commands() {
        Some(_) => (
            format!("the bench file has no `{action}` command for it"),
            format!("add `{action} = [\"program\", \"argument\"]` to `[boards.{name}.power]`"),
        ),
        None => (
            format!("what switches it cannot do `{action}`"),
            "docs/power.md says what each `driver` can do".to_owned(),
        ),
    };
    let text = match switch {
        Switch::Status => format!("whether board `{name}` is on is not known: {lacks}"),
        _ => format!("the power of board `{name}`: {lacks}"),
    };
    Err(fault(text, help))
}
