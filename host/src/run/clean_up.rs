//! The end of a node: what it has acquired is given back, and its board left as it was found.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::action::{self, Deployed};
use crate::fault::Fault;
use crate::limit::Limit;
use crate::plan::NodeKind;
use crate::run::{Line, NodeContext, Phase, Resources};

/// How long a connection may take to end.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// How long it may take to remove what a board would keep.
const CLEAR_TIME: Duration = Duration::from_secs(20);

/// Gives back what the node has acquired; power goes off whatever happened.
pub(super) async fn clean_up(node: &NodeContext, resources: &Mutex<Resources>) -> Option<Fault> {
    let mut resources = std::mem::take(&mut *resources.lock().await);
    let (power, undo) = (resources.power.take(), std::mem::take(&mut resources.undo));
    let (mut filled, share) = (resources.filled.take(), resources.share.take());
    // For whoever has the board next.
    let mut kept = None;
    // They are served until the board is off.
    let mut spaces: Vec<_> = resources.into_spaces().collect();
    for space in &mut spaces {
        if let Some((target, session)) = space.ssh.take() {
            let phase = own_phase(node, &Limit::new(CLEAR_TIME, "a fixed limit of cleaning up"));
            action::leave(node, &phase, &target, session).await;
        }
        if let Some(mut line) = space.line.take() {
            if let Some(directory) = filled.take_if(|_| has_shell(&line)) {
                let phase = own_phase(node, &Limit::new(CLEAR_TIME, "a fixed limit of cleaning up"));
                action::clear_over_console(node, &phase, &mut line.console, &line.prompts, &directory).await;
            }
            if line.name.is_none() && line.console.can_change_hands() {
                kept = line.console.into_descriptor();
            } else {
                // A program that is the console may clean up after itself.
                let _ = tokio::time::timeout(CLOSE_TIME, line.console.shutdown()).await;
            }
        }
        if let Some(activity) = space.deployed.as_ref().and_then(Deployed::activity)
            && (activity.calls > 0 || power.is_some())
        {
            // Where a boot failed: how far it came.
            node.emitter.note(activity.to_string());
        }
    }
    if let Some(directory) = filled {
        node.emitter.warn(format!("{directory} stays on the board: there is no shell left to remove it"));
    }
    if let (Some(share), NodeKind::Board { board }) = (share, &node.plan.kind) {
        node.run.handover.leave(&board.name, kept, share.close().await);
    }
    action::undo_commands(node, undo).await;
    let power = power?;
    let phase = own_phase(node, &node.plan.power_off);
    let phase =
        Phase { name: "power-off".to_owned(), place: format!("{}, power-off", node.plan.name), ..phase };
    node.in_phase(phase, async |phase| power.off(node, phase).await).await.err()
}

/// Whether it is the board's console, with a shell on it.
fn has_shell(line: &Line) -> bool {
    line.name.is_none() && !line.at_loader && !line.prompts.is_empty()
}

/// Time of its own, also when the job's is over.
fn own_phase(node: &NodeContext, limit: &Limit) -> Phase {
    let deadline = Instant::now() + limit.time;
    Phase { deadline, limit: limit.clone(), ..node.phase("clean-up", "", limit) }
}
