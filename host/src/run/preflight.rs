//! What keeps a plan from being carried out, as far as this PC shows it before anything is touched.
//!
//! `host-runner run` refuses what [`preflight`] finds, and `host-runner validate` tells it. What lies in job and bench file
//! alone, such as a board without an address, [`Plan::bind`] has found before.

mod files;

use crate::board::{Bench, Board, ConsoleTarget, Programs};
use crate::fault::{Class, Fault};
use crate::link::{SerialError, Target, check_permission, driver_of};
use crate::plan::{Action, NodeKind, NodePlan, Plan, ResetPlan};
use crate::run::bench::{agent_directories, agent_file};

/// Looks for all that the nodes of `plan` need of this PC: programs of the bench file, serial ports that this user may open,
/// directories of mirrors, agents. Every fault at once.
pub fn preflight(plan: &Plan, bench: &Bench) -> Vec<Fault> {
    let mut faults = Vec::new();
    for node in &plan.nodes {
        let Some(board) = board_of(node, plan) else { continue };
        if matches!(node.kind, NodeKind::Board { .. }) {
            faults.extend(serial_port(node, board));
            faults.extend(programs(node, board).missing(&place(board)));
        }
        faults.extend(files::absent(node, plan, board, bench).mirrors);
        faults.extend(agent(node, board, bench));
    }
    told_once(faults)
}

/// Looks for the files of this PC that the nodes of `plan` would fetch. A run finds that out where it fetches them, and has a
/// report of it.
pub fn absent_files(plan: &Plan, bench: &Bench) -> Vec<Fault> {
    let boards = plan.nodes.iter().filter_map(|node| Some((node, board_of(node, plan)?)));
    told_once(boards.flat_map(|(node, board)| files::absent(node, plan, board, bench).files))
}

/// Nodes of one role and steps of one node need the same.
fn told_once(faults: impl IntoIterator<Item = Fault>) -> Vec<Fault> {
    let mut told: Vec<Fault> = Vec::new();
    for fault in faults {
        if !told.contains(&fault) {
            told.push(fault);
        }
    }
    told
}

/// The board that a node's tests run on: its own, or the one that it connects to.
fn board_of<'p>(node: &'p NodePlan, plan: &'p Plan) -> Option<&'p Board> {
    match &node.kind {
        NodeKind::Board { board } => Some(board),
        NodeKind::Secondary { host } => {
            let host = plan.nodes.iter().find(|node| node.name == *host)?;
            if let NodeKind::Board { board } = &host.kind { Some(board) } else { None }
        }
    }
}

fn place(board: &Board) -> String {
    format!("board `{}`", board.name)
}

/// What a step does with the board's console, if it is opened for it.
fn reset_of(action: &Action) -> Option<&ResetPlan> {
    match action {
        Action::BootUboot(boot) => Some(&boot.reset),
        Action::BootBootloader(boot) => Some(&boot.reset),
        Action::BootMinimal(boot) => Some(&boot.reset),
        _ => None,
    }
}

/// A serial port that is none, or that this user may not open; one that is absent may still be plugged in.
fn serial_port(node: &NodePlan, board: &Board) -> Option<Fault> {
    let ConsoleTarget::Line(Target::Serial { path, .. }) = &board.console else { return None };
    node.steps.iter().find_map(|step| reset_of(&step.action))?;
    let is_none = |error: &SerialError| matches!(error, SerialError::NoPort { .. });
    let error = driver_of(path).err().filter(is_none).or_else(|| check_permission(path).err())?;
    Some(Fault::from_error(Class::Bench, place(board), &error))
}

/// The programs of `board` that the node's steps run.
fn programs(node: &NodePlan, board: &Board) -> Programs {
    let mut programs = Programs::default();
    for step in &node.steps {
        if let Some(reset) = reset_of(&step.action) {
            programs.add_console(board);
            if reset.wanted {
                programs.add_power(board);
            }
        }
        if let Action::Command(command) = &step.action {
            programs.add_command(&command.name, &command.run, &command.undo);
            if command.power.is_some() {
                programs.add_power(board);
            }
        }
    }
    programs
}

/// An agent that the node's tests need, and that is not there.
fn agent(node: &NodePlan, board: &Board, bench: &Bench) -> Option<Fault> {
    node.steps.iter().find(|step| matches!(step.action, Action::Test(_)))?;
    let (text, help) = agent_file(&agent_directories(bench), &board.arch).err()?;
    Some(Fault::new(Class::Bench, place(board), text).with_help(help))
}
