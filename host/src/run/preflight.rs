//! What keeps a plan from being carried out, as far as this PC shows it before anything is touched.
//!
//! `host-runner run` refuses what is found here, and `host-runner validate` tells it. What lies in job and bench file alone,
//! such as a board without an address, [`Plan::bind`] has found before.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::board::{Bench, Board, ConsoleTarget, Programs};
use crate::fault::{Class, Fault};
use crate::job::{ArtifactSpec, DefinitionSource};
use crate::link::{Target, check_permission};
use crate::plan::{Action, NodeKind, NodePlan, Plan, ResetPlan, replace};
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
        faults.extend(mirrors(node, board, bench));
        faults.extend(agent(node, board, bench));
    }
    // Nodes of one role and steps of one node need the same.
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

/// A serial port that this user may not open.
fn serial_port(node: &NodePlan, board: &Board) -> Option<Fault> {
    let ConsoleTarget::Line(Target::Serial { path, .. }) = &board.console else { return None };
    node.steps.iter().find_map(|step| reset_of(&step.action))?;
    let error = check_permission(path).err()?;
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

/// Directories of mirrors that are not there, each with the first of the node's files that would come from it.
fn mirrors(node: &NodePlan, board: &Board, bench: &Bench) -> Vec<Fault> {
    let values: BTreeMap<String, String> = board.static_info.iter().cloned().collect();
    let mut missing: BTreeMap<PathBuf, Fault> = BTreeMap::new();
    for (url, place) in fetched(node) {
        let url = replace(url, &values).unwrap_or_else(|| url.to_owned());
        let Some((rule, directory)) = bench.mirrors.missing(&url) else { continue };
        missing.entry(directory).or_insert_with_key(|directory| {
            let text = format!(
                "`{url}` cannot be had: the bench file's mirror of `{}` is `{}`, which is not there",
                rule.from,
                directory.display()
            );
            let help =
                format!("put it there, or change `to` of that `[[mirror]]` in {}", bench.path.display());
            Fault::new(Class::Bench, place, text).with_help(help)
        });
    }
    missing.into_values().collect()
}

/// The URLs that the node has to fetch by way of mirrors, each with its place.
fn fetched(node: &NodePlan) -> Vec<(&str, &str)> {
    let mut fetched = Vec::new();
    for step in &node.steps {
        match &step.action {
            Action::DeployTftp(deploy) => fetched.extend(deploy.spec.artifacts().filter_map(by_mirror)),
            Action::Test(test) => {
                fetched.extend(test.definitions.iter().filter_map(|spec| match &spec.source {
                    DefinitionSource::Tar { artifact, .. } => by_mirror(artifact),
                    // A commit may be in the copy of the repository that this PC has.
                    DefinitionSource::Git { url, revision, .. } => {
                        revision.is_none().then_some((url.as_str(), spec.place.as_str()))
                    }
                    DefinitionSource::Inline(_) | DefinitionSource::Directory { .. } => None,
                }));
            }
            _ => {}
        }
    }
    fetched
}

fn by_mirror(artifact: &ArtifactSpec) -> Option<(&str, &str)> {
    // A file of which the job has the SHA-256 may be in the cache, and then comes from nowhere.
    let comes = artifact.use_cache && artifact.checksums.sha256().is_none();
    comes.then_some((&artifact.url, &artifact.place))
}

/// An agent that the node's tests need, and that is not there.
fn agent(node: &NodePlan, board: &Board, bench: &Bench) -> Option<Fault> {
    node.steps.iter().find(|step| matches!(step.action, Action::Test(_)))?;
    let (text, help) = agent_file(&agent_directories(bench), &board.arch).err()?;
    Some(Fault::new(Class::Bench, place(board), text).with_help(help))
}
