//! The console of a node's board: opened, told of, and shared with whoever attaches to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::action::PoweredBoard;
use crate::board::lease::Key;
use crate::board::power::Power;
use crate::board::{Board, ConsoleTarget};
use crate::event::Direction;
use crate::fault::{Chain, Class, Fault};
use crate::link::{self, Console, ConsoleShare, Notice, Order, Tap, Target};
use crate::net::Net;
use crate::run::{Emitter, NodeContext, Phase, Resources};

/// How long a person may take to switch a board for another one.
const SWITCH_LIMIT: Duration = Duration::from_secs(600);

/// Opens a line to the node's board.
pub(super) async fn open_console(
    node: &NodeContext,
    phase: &Phase,
    target: &Target,
    tap: Tap,
) -> Result<Console, Fault> {
    link::open(target, &Net::Host, tap, notice_of(node))
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
    let share = share(node, board, resources);
    let tap = share.map_or_else(|| tap_of(node), |share| share.tap(tap_of(node)));
    // It comes from a person's console, once.
    let line = node.run.handover.take_line(&board.name);
    let was_open = line.is_some();
    let console = link::adopt(target, &Net::Host, line, tap, notice_of(node)).await;
    let mut console = console.map_err(|error| {
        phase.error(error.class(), &error).with_optional_help(error.server_help(&board.name))
    })?;
    if was_open {
        // It is told and kept, and is no answer to anything that is still to be said.
        console.read_waiting().await.map_err(|error| phase.error(Class::Infrastructure, &error))?;
    }
    Ok(match share {
        Some(share) => console.shared(&share.console, notice_of(node)),
        None => console,
    })
}

/// The console of a virtual board, which others can attach to.
pub(super) fn share_console(
    node: &NodeContext,
    board: &Board,
    stream: UnixStream,
    resources: &mut Resources,
) -> Console {
    match share(node, board, resources) {
        Some(share) => Console::new(stream, share.tap(tap_of(node))).shared(&share.console, notice_of(node)),
        None => Console::new(stream, tap_of(node)),
    }
}

/// A console that others can attach to, and what does what they ask for.
pub(crate) struct SharedConsole {
    console: ConsoleShare,
    _orders: AbortOnDropHandle<()>,
}

impl SharedConsole {
    fn tap(&self, tap: Tap) -> Tap {
        self.console.tap_text(tap)
    }

    /// As of [`ConsoleShare::close`].
    pub(crate) async fn close(self) -> Vec<std::os::unix::net::UnixStream> {
        self.console.close().await
    }
}

/// What lets others attach to the console of the node's board, as long as the node has the board.
fn share<'r>(node: &NodeContext, board: &Board, resources: &'r mut Resources) -> Option<&'r SharedConsole> {
    if resources.share.is_none() {
        let key = Key::board(&node.run.bench, &board.name);
        match key.and_then(|key| ConsoleShare::open(&key.console_name(), false)) {
            Ok((console, orders)) => {
                let obeyed = obey(orders, node.emitter.clone(), board.power.clone());
                let _orders = AbortOnDropHandle::new(tokio::spawn(obeyed));
                resources.share = Some(SharedConsole { console, _orders });
            }
            Err(error) => node.emitter.warn(format!("nobody can attach to the console: {error}")),
        }
    }
    resources.share.as_ref()
}

/// Switches the board's power for those who are attached, and warns of it.
async fn obey(mut orders: mpsc::Receiver<Order>, emitter: Emitter, power: Option<Power>) {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Switch { who, switch, answer } => {
                let Some(power) = power.as_ref().filter(|power| power.can(switch)) else {
                    // Whoever asked may be gone, here and below.
                    let _ = answer.send(Err("the bench file has nothing that does it".to_owned()));
                    continue;
                };
                let words = power.words(switch);
                emitter.warn(format!("{who}, not this run, switches the board's power: {words}"));
                let limit = power.usual_limit().unwrap_or(SWITCH_LIMIT);
                let done = power.run(switch, limit, &|text| emitter.warn(text)).await;
                let told = done.map(|_| format!("{words}: done")).map_err(|error| Chain(&error).to_string());
                emitter.warn(match &told {
                    Ok(text) => format!("what {who} asked for, {text}"),
                    Err(text) => format!("what {who} asked for, {words}, was not done: {text}"),
                });
                let _ = answer.send(told);
            }
            // A run does not offer it.
            Order::Give { .. } => {}
        }
    }
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
