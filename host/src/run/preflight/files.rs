//! Files and directories of this PC that a node's steps would fetch, and that are not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::artifact::{Mirrors, Rule};
use crate::board::{Bench, Board};
use crate::fault::{Class, Fault};
use crate::job::{ArtifactSpec, DefinitionSource, DefinitionSpec};
use crate::plan::{Action, NodePlan, replace};

/// Something that has to be fetched when its step comes.
struct Fetched<'p> {
    url: &'p str,
    place: &'p str,
    /// Whether the bench's mirrors say where from.
    by_mirror: bool,
}

/// The node's actions, each with whether a command of the bench comes before, which may make a file that it deploys. Test
/// definitions are fetched before all actions.
fn actions(node: &NodePlan) -> impl Iterator<Item = (&Action, bool)> {
    let actions = node.steps.iter().map(|step| &step.action);
    actions.scan(false, |may_be_made, action| {
        *may_be_made |= matches!(action, Action::Command(_));
        Some((action, *may_be_made && !matches!(action, Action::Test(_))))
    })
}

/// The node's files that are not there. Of those below a directory of a mirror that is not there, the first stands for all.
pub(super) fn absent(node: &NodePlan, board: &Board, bench: &Bench) -> Vec<Fault> {
    let values: BTreeMap<String, String> = board.static_info.iter().cloned().collect();
    let none = Mirrors::default();
    let mut directories: BTreeMap<PathBuf, Fault> = BTreeMap::new();
    let mut files = Vec::new();
    for (action, may_be_made) in actions(node) {
        for Fetched { url, place, by_mirror } in fetched(action) {
            let mirrors = if by_mirror { &bench.mirrors } else { &none };
            let url = replace(url, &values).unwrap_or_else(|| url.to_owned());
            if let Some((rule, directory)) = mirrors.missing(&url) {
                let fault = || absent_mirror(&url, place, rule, &directory, bench);
                directories.entry(directory.clone()).or_insert_with(fault);
            } else if let Some(error) = mirrors.absent(&url).filter(|_| !may_be_made) {
                files.push(Fault::from_error(error.class(), place, &error).with_optional_help(error.help()));
            }
        }
        if let Action::Test(test) = action {
            files.extend(test.definitions.iter().filter_map(absent_directory));
        }
    }
    directories.into_values().chain(files).collect()
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
    let text =
        format!("the files of definition `{}` cannot be had from `{directory}`: it is not there", spec.name);
    let help = "`repository` of `from: directory` is seen from where the job file is";
    (!Path::new(directory).exists()).then(|| Fault::new(Class::Job, &spec.place, text).with_help(help))
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
    (!may_be_cached).then_some(Fetched { url, place, by_mirror: *use_cache })
}

fn of_definition(spec: &DefinitionSpec) -> Option<Fetched<'_>> {
    match &spec.source {
        DefinitionSource::Tar { artifact, .. } => of_artifact(artifact),
        // A commit may be in the copy of the repository that this PC has.
        DefinitionSource::Git { revision: Some(_), .. } => None,
        DefinitionSource::Git { url, .. } => Some(Fetched { url, place: &spec.place, by_mirror: true }),
        DefinitionSource::Inline(_) | DefinitionSource::Directory { .. } => None,
    }
}
