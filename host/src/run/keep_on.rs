//! A board that stays on when its node has failed, with all that is served to it, for a person to look at.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::action;
use crate::fault::{Chain, Class, Fault};
use crate::limit::Limit;
use crate::link::Console;
use crate::plan::NodeKind;
use crate::run::let_in::Written;
use crate::run::{Line, NodeContext, Resources};

/// Keeps the board of a node that ended with `fault` for `time`, or until the run is stopped, and its console open.
pub(super) async fn keep_on(node: &NodeContext, fault: &Fault, time: Duration, resources: &Mutex<Resources>) {
    let mut resources = resources.lock().await;
    let is_board = matches!(node.plan.kind, NodeKind::Board { .. });
    if fault.class == Class::Cancelled || !is_board || node.run.cancel.is_cancelled() {
        return;
    }
    // Whoever switches it, and if that is a person: a board whose console was opened is up, or may be.
    if resources.power.is_none() && resources.share.is_none() {
        node.emitter.note("`--keep-on` keeps nothing: the run has not touched the board");
        return;
    }
    let limit = Limit::new(time, "`--keep-on`");
    let phase = node.phase("keep-on", "", &limit);
    if resources.line(None).is_none() {
        match action::reopen_console(node, &phase, &mut resources).await {
            Ok(console) => resources.keep_line(Line::without_prompts(console)),
            Err(fault) => {
                node.emitter.warn(format!("the board does not stay on: {fault}"));
                return;
            }
        }
    }
    let let_in = Written::make(node).unwrap_or_else(|error| {
        node.emitter.warn(format!("nobody is let in over SSH: {}", Chain(&*error)));
        None
    });
    // It stays where it is: cleaning up ends it in order.
    let Some(line) = resources.line(None) else { return };
    let console = &mut line.console;
    let (on, minutes) = (node.plan.on(), time.as_secs() / 60);
    node.emitter.warn(format!(
        "the node has failed, and board `{on}` stays on for {minutes} min: `host-runner console {on}` in another \
         terminal attaches to it, Ctrl-C here ends it"
    ));
    if let_in.is_some() {
        node.emitter.note(format!("`host-runner ssh {on}` logs in on it as root, if its SSH server is up"));
    }
    let deadline = Instant::now() + time;
    tokio::select! {
        ended = read_all(console) => node.emitter.warn(format!("the console ended: {ended}")),
        () = tokio::time::sleep_until(deadline) => node.emitter.note("the time of `--keep-on` is over"),
        () = node.run.cancel.cancelled() => {}
    }
}

/// Reads the console, whose tap shows it to all who want it, to its end.
async fn read_all(console: &mut Console) -> std::io::Error {
    let mut bytes = [0; 4096];
    loop {
        match console.read(&mut bytes).await {
            Ok(0) => return std::io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
