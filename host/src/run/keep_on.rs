//! A board that stays on when its node has failed, with all that is served to it, for a person to look at.

use std::convert::Infallible;
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
use crate::run::{Line, NodeContext, Phase, Resources};

/// How often it is looked whether a person can be let in.
const AGAIN: Duration = Duration::from_secs(5);

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
    // It stays where it is: cleaning up ends it in order.
    let Some(line) = resources.line(None) else { return };
    let console = &mut line.console;
    let (on, minutes) = (node.plan.on(), time.as_secs() / 60);
    node.emitter.warn(format!(
        "the node has failed, and board `{on}` stays on for {minutes} min: `host-runner console {on}` in another \
         terminal attaches to it, Ctrl-C here ends it"
    ));
    let _kept = node.run.handover.keep_on(on, time);
    // A phase of its own, beyond the job's time: it is seen how much is left.
    let phase = Phase { deadline: Instant::now() + time, limit, ..phase };
    let kept = node.in_phase(phase, async |phase| {
        tokio::select! {
            ended = read_all(console) => node.emitter.warn(format!("the console ended: {ended}")),
            () = tell_what_is_left(node, phase.deadline) => node.emitter.note("the time of `--keep-on` is over"),
            () = node.run.cancel.cancelled() => {}
            never = let_in(node) => match never {},
        }
        Ok(())
    });
    if let Err(fault) = kept.await {
        node.emitter.warn(fault.message);
    }
}

/// Lets a person in over SSH as soon as the board's host keys are known, and for as long as it is polled: they may be made
/// by a system that is still on its way up.
async fn let_in(node: &NodeContext) -> Infallible {
    let mut is_told = false;
    let _written = loop {
        match Written::make(node) {
            Ok(None) => break None,
            Ok(written) => {
                let on = node.plan.on();
                node.emitter
                    .note(format!("`host-runner ssh {on}` logs in on it as root, if its SSH server is up"));
                break written;
            }
            Err(error) if is_told => drop(error),
            Err(error) => {
                node.emitter.note(format!("nobody is let in over SSH yet: {}", Chain(&*error)));
                is_told = true;
            }
        }
        tokio::time::sleep(AGAIN).await;
    };
    std::future::pending().await
}

/// Waits until `deadline`, and says now and then how long that still is: not every output has a live view.
async fn tell_what_is_left(node: &NodeContext, deadline: Instant) {
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Some(next) = next_told(left()) {
        tokio::time::sleep_until(deadline - next).await;
        let (on, minutes) = (node.plan.on(), next.as_secs() / 60);
        node.emitter.note(format!("board `{on}` stays on for {minutes} min more"));
    }
    tokio::time::sleep_until(deadline).await;
}

/// How much is left when that is told next: whole hours, then half an hour, and less and less.
fn next_told(left: Duration) -> Option<Duration> {
    const MINUTE: Duration = Duration::from_secs(60);
    let hours = left.as_secs().saturating_sub(1) / 3600;
    let hours = (hours > 0).then(|| Duration::from_secs(3600 * hours));
    hours.or_else(|| [30, 10, 5, 1].map(|minutes| minutes * MINUTE).into_iter().find(|next| *next < left))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_at_sensible_steps() {
        let mut left = Duration::from_secs(150 * 60);
        let mut told = Vec::new();
        while let Some(next) = next_told(left) {
            told.push(next.as_secs() / 60);
            left = next;
        }
        assert_eq!(told, [120, 60, 30, 10, 5, 1]);
        assert_eq!(next_told(Duration::from_secs(60)), None, "it has just been told");
    }
}
