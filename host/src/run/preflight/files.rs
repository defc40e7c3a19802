//! Files and directories of this PC that a node's steps would fetch, and that are not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::artifact::{Mirrors, Rule};
use crate::board::{Bench, Board};
use crate::fault::{Class, Fault};
use crate::job::{ArtifactSpec, DefinitionSource, DefinitionSpec};
use crate::plan::{Action, NodePlan, Plan, replace};

/// Something that has to be fetched when its step comes.
struct Fetched<'p> {
    url: &'p str,
    place: &'p str,
    /// Whether the bench's mirrors say where from.
    by_mirror: bool,
    is_repository: bool,
}

/// The node's actions, each with whether a command of the bench may make a file that it deploys: one that comes before, or
/// one of another node, for which this one may wait. Test definitions are fetched before all actions.
fn actions<'p>(node: &'p NodePlan, plan: &'p Plan) -> impl Iterator<Item = (&'p Action, bool)> {
    let makes = |action: &Action| matches!(action, Action::Command(command) if command.power.is_none());
    let others = plan.nodes.iter().filter(|other| other.name != node.name);
    let others_make = others.flat_map(|other| &other.steps).any(|step| makes(&step.action));
    node.steps.iter().map(|step| &step.action).scan(others_make, move |may_be_made, action| {
        *may_be_made |= makes(action);
        Some((action, *may_be_made && !matches!(action, Action::Test(_))))
    })
}

/// What a node would fetch from this PC in vain.
#[derive(Default)]
pub(super) struct Absent {
    /// Directories of mirrors, each told at the first file that would come from it.
    pub(super) mirrors: Vec<Fault>,
    /// Single files, repositories, and directories of test definitions.
    pub(super) files: Vec<Fault>,
}

/// Looks for what the node fetches.
pub(super) fn absent(node: &NodePlan, plan: &Plan, board: &Board, bench: &Bench) -> Absent {
    let values: BTreeMap<String, String> = board.static_info.iter().cloned().collect();
    let none = Mirrors::default();
    let mut directories: BTreeMap<PathBuf, Fault> = BTreeMap::new();
    let mut files = Vec::new();
    for (action, may_be_made) in actions(node, plan) {
        let fetched = if may_be_made { Vec::new() } else { fetched(action) };
        for Fetched { url, place, by_mirror, is_repository } in fetched {
            let mirrors = if by_mirror { &bench.mirrors } else { &none };
            let url = replace(url, &values).unwrap_or_else(|| url.to_owned());
            // As git finds it.
            if is_repository && mirrors.absent(&format!("{url}.git")).is_none() {
                continue;
            }
            if let Some((rule, directory)) = mirrors.missing(&url) {
                let fault = || absent_mirror(&url, place, rule, &directory, bench);
                directories.entry(directory.clone()).or_insert_with(fault);
            } else if let Some(error) = mirrors.absent(&url) {
                files.push(Fault::from_error(error.class(), place, &error).with_optional_help(error.help()));
            }
        }
        if let Action::Test(test) = action {
            files.extend(test.definitions.iter().filter_map(absent_directory));
        }
    }
    Absent { mirrors: directories.into_values().collect(), files }
}

fn absent_mirror(url: &str, place: &str, rule: &Rule, directory: &Path, bench: &Bench) -> Fault {
    let text = format!(
        "`{url}` cannot be had: the bench file's mirror of `{}` is `{}`, which is not there",
        rule.from,
        directory.display()
    );
    let help = format!("put it there, or change `to` of that `[[mirror]]` in {}", bench.path.display());
    Fault::new(Class::Bench, place, text).with_help(help)
}

fn absent_directory(spec: &DefinitionSpec) -> Option<Fault> {
    let DefinitionSource::Directory { directory, .. } = &spec.source else { return None };
    let error = std::fs::metadata(directory).err()?;
    let text = format!("the files of definition `{}` cannot be had from `{directory}`: {error}", spec.name);
    let help = "`repository` of `from: directory` is seen from where the job file is";
    Some(Fault::new(Class::Job, &spec.place, text).with_help(help))
}

/// What an action has to fetch.
fn fetched(action: &Action) -> Vec<Fetched<'_>> {
    match action {
        Action::DeployTftp(deploy) => deploy.spec.artifacts().filter_map(of_artifact).collect(),
        Action::Test(test) => test.definitions.iter().filter_map(of_definition).collect(),
        _ => Vec::new(),
    }
}

fn of_artifact(artifact: &ArtifactSpec) -> Option<Fetched<'_>> {
    let ArtifactSpec { url, place, use_cache, checksums, .. } = artifact;
    // A file of which the job has the SHA-256 may be in the cache, and then comes from nowhere.
    let may_be_cached = *use_cache && checksums.sha256().is_some();
    let fetched = Fetched { url, place, by_mirror: *use_cache, is_repository: false };
    (!may_be_cached).then_some(fetched)
}

fn of_definition(spec: &DefinitionSpec) -> Option<Fetched<'_>> {
    match &spec.source {
        DefinitionSource::Tar { artifact, .. } => of_artifact(artifact),
        // A commit may be in the copy of the repository that this PC has.
        DefinitionSource::Git { revision: Some(_), .. } => None,
        DefinitionSource::Git { url, .. } => {
            Some(Fetched { url, place: &spec.place, by_mirror: true, is_repository: true })
        }
        DefinitionSource::Inline(_) | DefinitionSource::Directory { .. } => None,
    }
}
