//! `command`: a command of the bench, run on this PC.

use std::time::Duration;

use crate::action::PoweredBoard;
use crate::action::power::power_fault;
use crate::board::power::Switch;
use crate::fault::{Chain, Class, Fault};
use crate::plan::UserCommand;
use crate::program::{ProgramError, run_program};
use crate::run::{NodeContext, Phase, Resources};

/// How long undoing a command may take.
const UNDO_TIME: Duration = Duration::from_secs(60);

/// Runs the command; what undoes it is run at the end of the job, also where it has failed half-way.
pub(crate) async fn command(
    node: &NodeContext,
    phase: &Phase,
    command: &UserCommand,
    resources: &mut Resources,
) -> Result<(), Fault> {
    // Once, however often it is tried or repeated.
    if !command.undo.is_empty() && resources.undo.iter().all(|other| other.name != command.name) {
        resources.undo.push(command.clone());
    }
    match command.power {
        Some(switch) => {
            // The plan has it of the board.
            let Some(power) = &node.own_board(phase)?.power else { return Ok(()) };
            if switch != Switch::Off {
                // Counts as switched on even if that fails half-way.
                resources.power = Some(PoweredBoard::Switch(Box::new(power.clone())));
            }
            let say = |text: &str| node.emitter.warn(text);
            power.run(switch, phase.left(), &say).await.map_err(|error| power_fault(phase, &error))?;
        }
        None => run(phase, command).await?,
    }
    node.emitter.note(format!("command `{}` of the bench has done its work", command.name));
    Ok(())
}

async fn run(phase: &Phase, command: &UserCommand) -> Result<(), Fault> {
    let ended = run_program(&command.run, phase.left()).await;
    ended.map(drop).map_err(|kind| {
        let late = matches!(kind, ProgramError::Timeout { .. });
        let text =
            format!("command `{}` of the bench, `{}`, did not work", command.name, command.run.join(" "));
        let limit = if late { format!(" (at most {})", phase.limit) } else { String::new() };
        let class = if kind.is_missing() { Class::Bench } else { Class::Infrastructure };
        phase.fault(class, format!("{text}: {}{limit}", Chain(&kind)))
    })
}

/// Undoes commands, the last one first. What cannot be undone is a warning: the job has its verdict.
pub(crate) async fn undo_commands(node: &NodeContext, commands: Vec<UserCommand>) {
    for command in commands.iter().rev() {
        match run_program(&command.undo, UNDO_TIME).await {
            Ok(_) => node.emitter.note(format!("command `{}` of the bench is undone", command.name)),
            Err(error) => node.emitter.warn(format!(
                "command `{}` of the bench was not undone by `{}`: {}",
                command.name,
                command.undo.join(" "),
                Chain(&error)
            )),
        }
    }
}
