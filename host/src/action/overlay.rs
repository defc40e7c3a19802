//! What goes into `/lava-<id>` on the target: agent, environment, test definitions and their scripts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::definition_files::{self, DefinitionFiles, FilesError};
use super::definition_git;
use super::test::ResultRules;
use crate::artifact::git::GitRequest;
use crate::board::Board;
use crate::diagnostic::Source;
use crate::fault::{Chain, Class, Fault};
use crate::job::{DefinitionSource, DefinitionSpec, TestDefinition};
use crate::limit::Limit;
use crate::plan::{
    Action, NodeKind, Script, ScriptStep, TestAction, definition_directory, environment_script,
    install_script, run_script, secrets_script,
};
use crate::run::{NodeContext, Phase, agent_file};

/// The agent's binary, relative to `/lava-<id>`.
const AGENT_PATH: &str = "bin/lava-agent";

/// Variables for the test scripts, relative to `/lava-<id>`.
const ENVIRONMENT_PATH: &str = "environment";

/// The job's secrets, relative to `/lava-<id>`.
const SECRETS_PATH: &str = "secrets";

/// Most bytes that one definition's repository may bring.
pub(super) const MAX_DEFINITION_BYTES: u64 = 64 << 20;

/// Largest agent that is believed to be one.
const MAX_AGENT_BYTES: u64 = 8 << 20;

/// What goes into `/lava-<id>`.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    files: Vec<OverlayFile>,
    stages: Vec<Stage>,
}

/// A file below `/lava-<id>`.
#[derive(Debug)]
pub(crate) struct OverlayFile {
    /// Path relative to `/lava-<id>`.
    pub(crate) path: String,
    /// Permission bits.
    pub(crate) mode: u32,
    /// What is in it.
    pub(crate) content: Vec<u8>,
}

/// The definitions of one test step.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Ordinal of the test step on its node.
    pub(crate) number: u32,
    /// The definitions, in order.
    pub(crate) definitions: Vec<PreparedDefinition>,
}

/// A definition whose files are in the overlay.
#[derive(Debug)]
pub(crate) struct PreparedDefinition {
    /// Name of its results, such as `0_smoke-tests`.
    pub(crate) name: String,
    /// Its install script, if it has one.
    pub(crate) install: Option<PreparedScript>,
    /// Its run script.
    pub(crate) run: PreparedScript,
    /// How long all of it may take, by the job.
    pub(crate) timeout: Option<Limit>,
    /// What counts as a result.
    pub(crate) rules: ResultRules,
}

impl Overlay {
    /// The agent's binary, if there are tests.
    pub(crate) fn agent(&self) -> Option<&OverlayFile> {
        self.files.iter().find(|file| file.path == AGENT_PATH)
    }

    /// All files.
    pub(crate) fn files(&self) -> &[OverlayFile] {
        &self.files
    }

    /// What the agent at the other end of a link does not have yet when test step `number` begins: the environment,
    /// the secrets and the step's own files.
    pub(crate) fn files_of(&self, number: u32) -> impl Iterator<Item = &OverlayFile> {
        let stage = format!("{number}/");
        let shared = [ENVIRONMENT_PATH, SECRETS_PATH];
        self.files
            .iter()
            .filter(move |file| shared.contains(&file.path.as_str()) || file.path.starts_with(&stage))
    }

    /// The definitions of test step `number`.
    pub(crate) fn stage(&self, number: u32) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.number == number)
    }

    /// What is in the file at `path`.
    fn content(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|file| file.path == path).map(|file| file.content.as_slice())
    }

    /// Whether no test step comes after `number`.
    pub(crate) fn is_last(&self, number: u32) -> bool {
        self.stages.iter().all(|stage| stage.number <= number)
    }

    pub(super) fn add(&mut self, path: impl Into<String>, mode: u32, content: impl Into<Vec<u8>>) {
        self.files.push(OverlayFile { path: path.into(), mode, content: content.into() });
    }
}

/// A script whose file is in the overlay.
#[derive(Debug)]
pub(crate) struct PreparedScript {
    /// Path, relative to `/lava-<id>`.
    pub(crate) path: String,
    /// The steps that it tells the agent of.
    pub(crate) steps: Vec<ScriptStep>,
    /// How long it may take.
    pub(crate) timeout: Option<Limit>,
}

/// Fetches and checks what the node's tests need, before any board is touched.
pub(crate) async fn prepare(node: &NodeContext, phase: &Phase) -> Result<Overlay, Fault> {
    let mut overlay = Overlay::default();
    let tests: Vec<&TestAction> = node
        .plan
        .steps
        .iter()
        .filter_map(|step| if let Action::Test(test) = &step.action { Some(test) } else { None })
        .collect();
    if tests.is_empty() {
        return Ok(overlay);
    }
    overlay.add(AGENT_PATH, 0o755, find_agent(node, phase)?);
    overlay.add(ENVIRONMENT_PATH, 0o644, environment(node));
    if !node.run.secrets.is_empty() {
        overlay.add(SECRETS_PATH, 0o600, secrets_script(&node.run.secrets));
    }
    for test in tests {
        let mut definitions = Vec::new();
        for spec in &test.definitions {
            definitions.push(prepare_definition(node, phase, test, spec, &mut overlay).await?);
        }
        overlay.add(format!("{}/lava-test-runner.conf", test.stage), 0o644, runner_list(test));
        overlay.stages.push(Stage { number: test.stage, definitions });
    }
    Ok(overlay)
}

async fn prepare_definition(
    node: &NodeContext,
    phase: &Phase,
    test: &TestAction,
    spec: &DefinitionSpec,
    overlay: &mut Overlay,
) -> Result<PreparedDefinition, Fault> {
    let directory = definition_directory(test.stage, spec);
    let fetched;
    let definition = match &spec.source {
        DefinitionSource::Inline(definition) => definition.as_ref(),
        DefinitionSource::Git { url, branch, revision, path, recursive } => {
            let request = GitRequest { url: url.clone(), branch: branch.clone(), revision: revision.clone() };
            let tree = definition_git::checkout(node, phase, spec, &request).await?;
            node.emitter.note(format!("definition {} is {url} at commit {:.12}", spec.name, tree.commit()));
            definition_git::copy(node, phase, spec, Arc::clone(&tree), &directory, *recursive, overlay)
                .await?;
            // A link to it is as good as the file.
            let text = match overlay.content(&format!("{directory}/{}", path.trim_start_matches("./"))) {
                Some(text) => text.to_vec(),
                None => tree.read(path).await.map_err(|error| definition_git::fault(spec, &error))?,
            };
            fetched = parse_definition(node, &format!("{url} {path}"), text, spec)?;
            &fetched
        }
        DefinitionSource::Tar { artifact, strip, path } => {
            let tar = node.fetch_within(phase, "test definition", artifact).await?;
            let files = definition_files::of_tar(tar.path, *strip).await;
            let DefinitionFiles { files, left_out } =
                files.map_err(|error| files_fault(spec, &artifact.url, &error))?;
            warn_of_links(node, spec, left_out);
            fetched = take_definition(node, &artifact.url, path, files, &directory, spec, overlay)?;
            &fetched
        }
        DefinitionSource::Directory { directory: from, path } => {
            let files = definition_files::of_directory(PathBuf::from(from)).await;
            let DefinitionFiles { files, left_out } =
                files.map_err(|error| files_fault(spec, from, &error))?;
            warn_of_links(node, spec, left_out);
            fetched = take_definition(node, from, path, files, &directory, spec, overlay)?;
            &fetched
        }
    };
    definition_git::copy_repositories(node, phase, spec, definition, &directory, overlay).await?;
    overlay.add(format!("{directory}/testdef.yaml"), 0o644, definition.text.clone());
    overlay.add(format!("{directory}/uuid"), 0o644, format!("{}_{}\n", node.id, spec.dir));
    let mut add = |name: &str, script: Script, timeout: Option<Limit>| {
        let usual = format!("{directory}/{name}");
        // A repository may have a script of that name, which its steps call.
        let is_taken = overlay.files.iter().any(|file| file.path == usual);
        let path = if is_taken { format!("{directory}/lava-{name}") } else { usual };
        overlay.add(path.clone(), 0o755, script.text);
        PreparedScript { path, steps: script.steps, timeout }
    };
    let run = add("run.sh", run_script(spec, definition), definition.timeout.clone());
    let install = install_script(spec, definition, test.os.as_deref());
    let install = install.map(|script| add("install.sh", script, None));
    let pattern = definition.pattern.as_deref().map(|pattern| phase.pattern(pattern)).transpose()?;
    let rules = ResultRules {
        expected: spec.expected.clone().or_else(|| definition.expected.clone()),
        fixups: definition.fixups.clone(),
        pattern,
    };
    Ok(PreparedDefinition { name: spec.dir.clone(), install, run, timeout: spec.timeout.clone(), rules })
}

/// Puts `files` into the definition's directory; the definition itself is the one at `path`.
fn take_definition(
    node: &NodeContext,
    from: &str,
    path: &str,
    files: Vec<OverlayFile>,
    directory: &str,
    spec: &DefinitionSpec,
    overlay: &mut Overlay,
) -> Result<TestDefinition, Fault> {
    let text = files.iter().find(|file| file.path == path).map(|file| file.content.clone());
    let text = text.ok_or_else(|| {
        Fault::new(Class::Job, spec.place.clone(), format!("`{from}` has no file `{path}`"))
    })?;
    let definition = parse_definition(node, &format!("{from} {path}"), text, spec)?;
    for file in files {
        overlay.add(format!("{directory}/{}", file.path), file.mode, file.content);
    }
    Ok(definition)
}

/// Tells of links among a definition's files that are left out.
pub(super) fn warn_of_links(node: &NodeContext, spec: &DefinitionSpec, left_out: usize) {
    if left_out > 0 {
        let text = "links among its files lead to none of them, and are left out";
        node.emitter.warn(format!("definition {}: {left_out} {text}", spec.name));
    }
}

pub(super) fn files_fault(spec: &DefinitionSpec, from: &str, error: &FilesError) -> Fault {
    let text =
        format!("the files of definition `{}` cannot be had from `{from}`: {}", spec.name, Chain(error));
    Fault::new(error.class(), spec.place.clone(), text)
}

/// What to do about a definition that is no part of the job file.
const ELSEWHERE: &str =
    "mend it where the job has it from; `host-runner validate` sees only what is in the job file";

/// Reads and checks the text of a definition that came from elsewhere.
fn parse_definition(
    node: &NodeContext,
    name: &str,
    text: Vec<u8>,
    spec: &DefinitionSpec,
) -> Result<TestDefinition, Fault> {
    let text = String::from_utf8(text).map_err(|_| {
        Fault::new(Class::Job, spec.place.clone(), format!("the test definition `{name}` is not UTF-8 text"))
    })?;
    let source = Source::new(name, text);
    let (definition, warnings) = TestDefinition::parse(&source)
        .map_err(|problems| problems.into_fault(Class::Job).with_help(ELSEWHERE))?;
    for warning in warnings {
        node.emitter.warn(format!("{}: {}", source.place(warning.span()), warning.message));
    }
    Ok(definition)
}

/// The agent's binary for the node's target.
fn find_agent(node: &NodeContext, phase: &Phase) -> Result<Vec<u8>, Fault> {
    let arch = node.board().map_or("", |board| board.arch.as_str());
    let path = agent_file(&node.run.agents, arch)
        .map_err(|(text, help)| phase.fault(Class::Bench, text).with_help(help))?;
    read_bounded(&path, MAX_AGENT_BYTES).map_err(|error| {
        phase.fault(Class::Bench, format!("cannot read the agent `{}`: {error}", path.display()))
    })
}

fn read_bounded(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > limit {
        return Err(std::io::Error::other(format!("{length} bytes, more than {limit}")));
    }
    fs::read(path)
}

/// What `lava-test-runner` runs by hand: the directories of a step's definitions, relative to the list.
fn runner_list(test: &TestAction) -> String {
    test.definitions.iter().map(|spec| format!("tests/{}\n", spec.dir)).collect()
}

/// `/lava-<id>/environment`: variables for the test scripts.
fn environment(node: &NodeContext) -> String {
    let mut variables = vec![
        ("LAVA_JOB_ID".to_owned(), node.id.clone()),
        ("LAVA_ROLE".to_owned(), node.plan.role.clone()),
        ("LAVA_NODE_NAME".to_owned(), node.plan.name.clone()),
    ];
    if let Some(board) = node.board() {
        variables.push(("LAVA_DEVICE_HOSTNAME".to_owned(), board.name.clone()));
        let services = node.run.networks.services(board);
        variables
            .extend(services.map(|services| ("LAVA_DISPATCHER_IP".to_owned(), services.address.to_string())));
        variables.extend(board.test_variables());
    }
    variables.extend(node.plan.environment.iter().cloned());
    environment_script(&variables)
}

impl NodeContext {
    /// The agent's directory on the target: one of this node and run alone, which is removed at the end.
    pub(crate) fn agent_directory(&self) -> String {
        let directory = &self.plan.directory;
        match directory.contains("%s") {
            true => directory.replace("%s", &self.id),
            false => format!("{}/lava-{}", directory.trim_end_matches('/'), self.id),
        }
    }

    /// The board that is the node's target: its own, or the one it connects to.
    pub(super) fn board(&self) -> Option<&Board> {
        self.run.board_of(match &self.plan.kind {
            NodeKind::Board { .. } => &self.plan.name,
            NodeKind::Secondary { host } => host,
        })
    }
}
