//! `boot` by `minimal`, and by `new_connection`: what is on the board boots by itself, or is up already.

use crate::action::console::{open_console, tap_of};
use crate::action::power::power_on;
use crate::action::{call_group, shell};
use crate::fault::{Class, Fault};
use crate::job::{Moment, Part};
use crate::plan::{BootMinimal, NewConnection, Step};
use crate::run::{NodeContext, Phase, Resources};

/// Switches the node's board on and waits for its shell.
pub(crate) async fn boot_minimal(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootMinimal,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let board = node.own_board(phase)?;
    let mut console = power_on(node, phase, step, &boot.reset, board, resources).await?;
    console.listen_while(call_group(node, phase, step, Moment::Login, resources)).await?;
    shell::log_in(node, phase, step, &boot.shell, boot.reset.wanted, &mut console).await?;
    resources.space().line = Some(shell::line(phase, &boot.shell, console, None)?);
    Ok(())
}

/// Opens another connection to the node's board and waits for the shell on it.
pub(crate) async fn new_connection(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &NewConnection,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let board = node.own_board(phase)?;
    let name = &boot.connection;
    let mut console = match resources.take_line(Some(name)) {
        Some(line) => line.console,
        None => {
            let (_, target) =
                board.consoles.iter().find(|(console, _)| console == name).ok_or_else(|| {
                    phase.fault(Class::Bug, format!("the board has no connection `{name}`"))
                })?;
            let part = phase.part(step.timeouts.part(Part::Connect));
            part.bound("open connection", open_console(node, &part, target, tap_of(node))).await?
        }
    };
    console.listen_while(call_group(node, phase, step, Moment::Login, resources)).await?;
    shell::log_in(node, phase, step, &boot.shell, false, &mut console).await?;
    resources.space().line = Some(shell::line(phase, &boot.shell, console, Some(name.clone()))?);
    Ok(())
}
