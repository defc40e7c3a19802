//! The console of a node's board: opened, told of, and shared with whoever attaches to it.

use std::sync::Arc;

use tokio::net::UnixStream;

use crate::action::PoweredBoard;
use crate::board::lease::Key;
use crate::board::{Board, ConsoleTarget};
use crate::event::Direction;
use crate::fault::{Class, Fault};
use crate::link::{self, Console, ConsoleShare, Notice, Tap, Target};
use crate::run::{NodeContext, Phase, Resources};

/// Opens a line to the node's board.
pub(super) async fn open_console(
    node: &NodeContext,
    phase: &Phase,
    target: &Target,
    tap: Tap,
) -> Result<Console, Fault> {
    link::open(target, &crate::net::Net::Host, tap, notice_of(node))
        .await
        .map_err(|error| phase.error(error.class(), &error))
}

/// Opens the console of the node's board, which others can attach to.
pub(super) async fn open_board_console(
    node: &NodeContext,
    phase: &Phase,
    board: &Board,
    target: &Target,
    resources: &mut Resources,
) -> Result<Console, Fault> {
    let Some(share) = share(node, board, resources) else {
        return open_console(node, phase, target, tap_of(node)).await;
    };
    let console = open_console(node, phase, target, share.tap(tap_of(node))).await?;
    Ok(console.shared(share, notice_of(node)))
}

/// The console of a virtual board, which others can attach to.
pub(super) fn share_console(
    node: &NodeContext,
    board: &Board,
    stream: UnixStream,
    resources: &mut Resources,
) -> Console {
    match share(node, board, resources) {
        Some(share) => Console::new(stream, share.tap(tap_of(node))).shared(share, notice_of(node)),
        None => Console::new(stream, tap_of(node)),
    }
}

/// What lets others attach to the console of the node's board, as long as the node has the board.
fn share<'r>(node: &NodeContext, board: &Board, resources: &'r mut Resources) -> Option<&'r ConsoleShare> {
    if resources.share.is_none() {
        let key = Key::board(&node.run.bench, &board.name);
        match key.and_then(|key| ConsoleShare::open(&key.console_name())) {
            Ok(share) => resources.share = Some(share),
            Err(error) => node.emitter.warn(format!("nobody can attach to the console: {error}")),
        }
    }
    resources.share.as_ref()
}

/// Opens the console of a board again that is on and whose console was given up.
pub(crate) async fn reopen_console(
    node: &NodeContext,
    phase: &Phase,
    resources: &mut Resources,
) -> Result<Console, Fault> {
    let board = node.own_board(phase)?;
    match (&resources.power, &board.console) {
        (Some(PoweredBoard::Virtual(machine)), _) => {
            let stream = machine.console().map_err(|error| phase.error(Class::Infrastructure, &error))?;
            Ok(share_console(node, board, stream, resources))
        }
        (_, ConsoleTarget::Line(target)) => open_board_console(node, phase, board, target, resources).await,
        _ => Err(phase.fault(Class::Infrastructure, "there is no console that could be opened again")),
    }
}

/// Everything that crosses a node's console is an event.
pub(super) fn tap_of(node: &NodeContext) -> Tap {
    let emitter = node.emitter.clone();
    Arc::new(move |direction: Direction, bytes: &[u8]| emitter.console(direction, bytes))
}

/// What happens to a node's line is a warning.
pub(super) fn notice_of(node: &NodeContext) -> Notice {
    let emitter = node.emitter.clone();
    Arc::new(move |text: &str| emitter.warn(text))
}
