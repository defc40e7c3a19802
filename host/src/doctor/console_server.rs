//! Consoles behind a network port: whether the name has an address, and whether somebody takes the connection and keeps it.
//!
//! Who serves a console may take one connection only, so each is tried with its board's lease, and closed at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::finding::{Check, Finding};
use crate::board::lease::Held;
use crate::board::{Bench, Board, ConsoleTarget};
use crate::fault::{Chain, Class};
use crate::link::{self, Target};
use crate::net::Net;
use crate::run::{board_held, take_board};

/// How long a server may take to refuse a connection that it has taken, as ser2net does for a port in use.
const REFUSES: Duration = Duration::from_millis(500);
/// Most bytes that are read of its reason.
const MOST: usize = 512;

/// Tries all consoles behind a network port, at the same time; findings for each board of the bench, in their order.
pub(super) async fn try_all(bench: &Bench) -> Vec<Vec<Finding>> {
    let mut findings: Vec<Vec<Finding>> = bench.boards.iter().map(|_| Vec::new()).collect();
    let mut tried = JoinSet::new();
    for (index, board) in bench.boards.iter().enumerate() {
        let targets = targets(board);
        if targets.is_empty() {
            continue;
        }
        if let Ok(Held::By(holder)) = board_held(bench, board) {
            let of_one = |target: &Target| in_use(board, target, &format!("in use by {holder}"));
            if let Some(findings) = findings.get_mut(index) {
                findings.extend(targets.iter().map(of_one));
            }
            continue;
        }
        match take_board(bench, board, "host-runner doctor".to_owned()) {
            Ok(lease) => {
                let name = board.name.clone();
                tried.spawn(async move {
                    let mut found = Vec::new();
                    for target in &targets {
                        found.push(of_target(&name, target).await);
                    }
                    drop(lease);
                    (index, found)
                });
            }
            Err(fault) => {
                let of_one =
                    |target: &Target| in_use(board, target, &format!("not tried: {}", fault.message));
                if let Some(findings) = findings.get_mut(index) {
                    findings.extend(targets.iter().map(of_one));
                }
            }
        }
    }
    for (index, found) in tried.join_all().await {
        if let Some(findings) = findings.get_mut(index) {
            findings.extend(found);
        }
    }
    findings
}

/// The board's consoles behind a network port.
fn targets(board: &Board) -> Vec<Target> {
    let first = match &board.console {
        ConsoleTarget::Line(target) => Some(target),
        ConsoleTarget::None | ConsoleTarget::Qemu(_) => None,
    };
    let all = first.into_iter().chain(board.consoles.iter().map(|(_, target)| target));
    all.filter(|target| matches!(target, Target::Tcp { .. } | Target::Telnet { .. })).cloned().collect()
}

fn in_use(board: &Board, target: &Target, why: &str) -> Finding {
    Finding::unknown(Check::Console, &board.name, format!("{}: {why}", place(target)))
}

fn place(target: &Target) -> String {
    match target {
        Target::Tcp { host, port } => format!("tcp://{host}:{port}"),
        Target::Telnet { host, port } => format!("telnet://{host}:{port}"),
        Target::Serial { path, .. } => path.display().to_string(),
        Target::Command(words) => words.join(" "),
    }
}

/// Connects, sees whether that lasts, and closes.
async fn of_target(board: &str, target: &Target) -> Finding {
    let place = place(target);
    let opened = link::open(target, &Net::Host, Arc::new(|_, _| {}), Arc::new(|_| {})).await;
    let mut console = match opened {
        Ok(console) => console,
        Err(error) => {
            let finding = Finding::fault(Check::Console, board, error.class(), Chain(&error));
            return finding.with_optional_help(error.server_help(board));
        }
    };
    let mut said = Vec::new();
    let ended = async {
        let mut buffer = [0; MOST];
        // An error ends the connection like its end does.
        while let Ok(count @ 1..) = console.read(&mut buffer).await {
            let room = MOST.saturating_sub(said.len());
            said.extend(buffer.iter().take(count.min(room)));
        }
    };
    if timeout(REFUSES, ended).await.is_err() {
        return Finding::ok(Check::Console, board, format!("{place} takes a connection, and keeps it"));
    }
    let text = String::from_utf8_lossy(&said);
    let reason = match text.trim() {
        "" => String::new(),
        text => format!("; it said: {text}"),
    };
    let text = format!("{place} closes the connection at once{reason}");
    Finding::fault(Check::Console, board, Class::Infrastructure, text).with_help(
        "does another program have that console, there or from another PC? Does the console server have the serial port?",
    )
}
