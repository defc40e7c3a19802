//! Test definitions: written in a job, or in a file of their own.
//!
//! LAVA never checks definitions, so keys that nobody knows are no more than a warning: in those of a job they are an
//! error if they look like one that is known.

use super::definitions::git_ref;
use super::helper_options::{UnknownOption, unknown_options};
use super::requests::{may_ask, misspelt, requests};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, did_you_mean, meant, nearest};
use crate::document::{Fields, Node, Reader, Value, parse_yaml};
use crate::job::check::deploy::check_distribution;
use crate::job::check::timeout;
use crate::job::testdef::{GitRepo, Install, Requests, RunStep, TestDefinition, whole_groups};
use crate::limit::Limit;

/// The one format that there is.
const FORMATS: [&str; 2] = ["Lava-Test Test Definition 1.0", "Lava-Test-Shell Test Definition 1.0"];

/// What a test case can come to.
const RESULTS: [(&str, ()); 4] = [("pass", ()), ("fail", ()), ("skip", ()), ("unknown", ())];

impl TestDefinition {
    /// Parses and checks a definition's file; its warnings come with it.
    ///
    /// # Errors
    /// Every problem of the file at once; one only if it is not YAML.
    pub fn parse(source: &Source) -> Result<(Self, Vec<Diagnostic>), Diagnostics> {
        let node = parse_yaml(source)
            .map_err(|problem| Diagnostics { source: source.clone(), problems: vec![*problem] })?;
        let mut reader = Reader::new(source);
        let definition = read(&mut reader, &node, |fields, reader| fields.finish_leniently(reader));
        let (definition, warnings) = reader.finish(definition)?;
        Ok((Self { text: source.text.to_string(), ..definition }, warnings))
    }
}

/// What is done about keys that nobody knows.
type Finish = fn(&Fields<'_>, &mut Reader<'_>);

/// Reads a definition that is written in a job; its text is JSON.
pub(super) fn inline(reader: &mut Reader<'_>, node: &Node) -> Option<TestDefinition> {
    read(reader, node, |fields, reader| fields.finish_near(reader))
}

fn read(reader: &mut Reader<'_>, node: &Node, finish: Finish) -> Option<TestDefinition> {
    let fields = reader.fields(node, "repository")?;
    let metadata = fields.require(reader, "metadata").and_then(|node| metadata(reader, node));
    let install = fields.get("install").and_then(|node| install(reader, node, finish)).unwrap_or_default();
    let mut params = Vec::new();
    for key in ["params", "parameters"] {
        if let Some(node) = fields.get(key) {
            params.extend(reader.variables(node, key));
        }
    }
    let run = match fields.get("run") {
        Some(node) => run(reader, node, finish),
        None => {
            // A misspelt one is told as that.
            if fields.rest().all(|(key, _)| nearest(key, ["run"]).is_none()) {
                let message = "the definition has no `run`: it does nothing but install";
                reader.report(Diagnostic::warning(Code::MissingRun, node.span, message));
            }
            Some(Run::default())
        }
    };
    let (pattern, fixups) = fields.get("parse").map(|node| parse(reader, node, finish)).unwrap_or_default();
    let expected = fields.get("expected").map(|node| reader.strings(node, "expected"));
    finish(&fields, reader);
    let (name, description) = metadata?;
    let Run { steps, mut requests, timeout } = run?;
    requests.may_be_more |= install.steps.iter().any(|step| may_ask(step));
    let text = to_json(node, reader.source).to_string();
    Some(TestDefinition {
        name,
        description,
        install,
        params,
        steps,
        requests,
        timeout,
        pattern,
        fixups,
        expected,
        text,
    })
}

/// Name and description.
fn metadata(reader: &mut Reader<'_>, node: &Node) -> Option<(String, Option<String>)> {
    let fields = reader.fields(node, "metadata")?;
    if let Some(node) = fields.get("format") {
        let format = reader.string(node, "format")?;
        if !FORMATS.contains(&format.as_str()) {
            let message = format!("`{format}` is read as `{}`", FORMATS[0]);
            reader.report(Diagnostic::warning(Code::UnknownFormat, node.span, message));
        }
    }
    let name = fields.require(reader, "name").and_then(|node| reader.non_empty(node, "name"));
    // Anything may stand here; what looks like a key of LAVA's is told.
    let known =
        ["format", "name", "description", "environment", "devices", "maintainer", "scope", "os", "version"];
    fields.accept(&known);
    for (key, _) in fields.rest() {
        let (Some(help), Some(span)) = (did_you_mean(key, known), fields.key_span(key)) else { continue };
        let message = format!("`{key}` of `metadata` is not known and has no effect");
        reader.report(Diagnostic::warning(Code::UnknownKey, span, message).with_meaning(Some(help)));
    }
    let description = fields.get("description").and_then(|node| node.text(reader.source));
    Some((name?, description.map(str::to_owned)))
}

fn install(reader: &mut Reader<'_>, node: &Node, finish: Finish) -> Option<Install> {
    let fields = reader.fields(node, "install")?;
    let list = |reader: &mut Reader<'_>, key: &'static str| {
        fields.get(key).map(|node| commands(reader, node, key)).unwrap_or_default()
    };
    let mut install = Install {
        keys: list(reader, "keys"),
        sources: list(reader, "sources"),
        deps: list(reader, "deps"),
        deps_by_distro: Vec::new(),
        git_repos: Vec::new(),
        steps: list(reader, "steps"),
    };
    if let Some(node) = fields.get("git-repos") {
        install.git_repos = reader.list(node, |reader, item| git_repo(reader, item, finish));
    }
    for (key, node) in fields.rest() {
        if let Some(distro) = key.strip_prefix("deps-") {
            let span = fields.key_span(key).unwrap_or(fields.span);
            check_distribution(reader, distro, span, &format!("`{key}`"));
            install.deps_by_distro.push((distro.to_owned(), reader.strings(node, key)));
            fields.know(key);
        }
    }
    finish(&fields, reader);
    Some(install)
}

/// A repository: its URL, or a mapping.
fn git_repo(reader: &mut Reader<'_>, node: &Node, finish: Finish) -> Option<GitRepo> {
    if !matches!(node.value, Value::Mapping(_)) {
        let url = reader.non_empty(node, "git-repos")?;
        return Some(GitRepo { url, branch: None, destination: None });
    }
    let fields = reader.fields(node, "git-repos")?;
    let url = fields.require(reader, "url").and_then(|node| reader.non_empty(node, "url"));
    let branch = fields.get("branch").and_then(|node| git_ref(reader, node, "branch"));
    let destination = fields.get("destination").and_then(|node| relative_path(reader, node, "destination"));
    finish(&fields, reader);
    Some(GitRepo { url: url?, branch, destination })
}

/// A path below the directory of a definition or repository.
pub(super) fn relative_path(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let path = reader.non_empty(node, what)?;
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        let message = format!("`{what}` must be a relative path without `..`");
        reader.report(Diagnostic::error(Code::InvalidPath, node.span, message));
        return None;
    }
    Some(path)
}

/// What `run` says.
#[derive(Default)]
struct Run {
    steps: Vec<RunStep>,
    requests: Requests,
    /// Of the steps together.
    timeout: Option<Limit>,
}

fn run(reader: &mut Reader<'_>, node: &Node, finish: Finish) -> Option<Run> {
    let fields = reader.fields(node, "run")?;
    let steps = fields.require(reader, "steps").map(|node| run_steps(reader, node));
    let timeout = timeout::own(reader, &fields);
    finish(&fields, reader);
    let (steps, requests) = steps?;
    let is_empty = |node: &Node| matches!(&node.value, Value::Sequence(items) if items.is_empty());
    if fields.get("steps").is_some_and(is_empty) {
        let span = fields.key_span("steps").unwrap_or(fields.span);
        let message = "`steps` is empty: the definition does nothing but install";
        reader.report(Diagnostic::warning(Code::MissingRun, span, message));
    }
    Some(Run { steps, requests, timeout })
}

/// Shell commands, each a text or a mapping with its time.
fn run_steps(reader: &mut Reader<'_>, node: &Node) -> (Vec<RunStep>, Requests) {
    let steps = reader.list(node, |reader, item| {
        if !matches!(&item.value, Value::Mapping(entries) if entries.iter().any(|(key, _)| key.name == "command")) {
            return Some((command(reader, item, "steps")?.as_str().into(), item.span));
        }
        let fields = reader.fields(item, "steps")?;
        let command = fields.require(reader, "command").and_then(|node| reader.string(node, "command"));
        let timeout = timeout::own(reader, &fields);
        fields.finish(reader);
        Some((RunStep { command: command?, timeout }, item.span))
    });
    for group in whole_groups(steps.iter().map(|(step, _)| step.command.as_str())) {
        let parts = steps.get(group).filter(|parts| parts.len() > 1).unwrap_or_default();
        for (_, span) in parts.iter().filter(|(step, _)| step.timeout.is_some()) {
            let message =
                "the time of this step has no effect: it is part of a command that goes over several steps";
            reader.report(Diagnostic::warning(Code::IgnoredTimeout, *span, message));
        }
    }
    for (step, span) in &steps {
        for (word, near) in misspelt(&step.command) {
            let message = format!("no helper is called `{word}`");
            let problem = Diagnostic::warning(Code::UnknownValue, *span, message);
            reader.report(problem.with_help(format!("did you mean `{near}`?")));
        }
        for UnknownOption { helper, option, known } in unknown_options(&step.command) {
            let all = format!("it has `{}`", known.join("`, `"));
            // LAVA's helpers take the value as the next word.
            let help = match option.split_once('=') {
                Some((name, value)) if known.contains(&name) => format!("write `{name} {value}`"),
                _ => meant(nearest(&option, known), &all),
            };
            let message = format!("`{helper}` has no option `{option}`: the call fails, and reports nothing");
            reader.report(Diagnostic::warning(Code::UnknownValue, *span, message).with_help(help));
        }
    }
    let requests = requests(steps.iter().map(|(step, span)| (step.command.as_str(), *span)));
    (steps.into_iter().map(|(step, _)| step).collect(), requests)
}

/// Shell commands: a list, or one text.
fn commands(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    reader.list(node, |reader, item| command(reader, item, what))
}

fn command(reader: &mut Reader<'_>, item: &Node, what: &str) -> Option<String> {
    match &item.value {
        Value::Mapping(_) => {
            let problem = reader.wrong_type(item, what, "text");
            let help = "a `: ` makes YAML see a mapping: put the whole line in quotes";
            reader.report(problem.with_help(help));
            None
        }
        // An empty entry does nothing, in a shell as well.
        Value::Null => None,
        _ => reader.string(item, what),
    }
}

/// `pattern`, which becomes a regular expression, and `fixupdict`.
fn parse(reader: &mut Reader<'_>, node: &Node, finish: Finish) -> (Option<String>, Vec<(String, String)>) {
    let Some(fields) = reader.fields(node, "parse") else { return Default::default() };
    let pattern = fields.get("pattern").and_then(|node| pattern(reader, node, &["test_case_id", "result"]));
    let fixups = fields.get("fixupdict").map(|node| fixups(reader, node));
    finish(&fields, reader);
    (pattern, fixups.unwrap_or_default())
}

/// `fixupdict`: words of a test for results.
pub(super) fn fixups(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String)> {
    let Some(fields) = reader.fields(node, "fixupdict") else { return Vec::new() };
    for (_, node) in fields.rest() {
        reader.choice(node, "fixupdict", &RESULTS);
    }
    reader.pairs(node, "fixupdict")
}

/// `pattern`: a regular expression that names what it finds, the `groups` at least.
pub(super) fn pattern(reader: &mut Reader<'_>, node: &Node, groups: &[&str]) -> Option<String> {
    let pattern = reader.regex(node, "pattern")?;
    for group in groups {
        if !pattern.contains(&format!("(?P<{group}>")) && !pattern.contains(&format!("(?<{group}>")) {
            let message = format!("`pattern` has no group `{group}`: nothing it matches becomes a result");
            reader.report(Diagnostic::warning(Code::IncompletePattern, node.span, message));
        }
    }
    Some(pattern)
}

fn to_json(node: &Node, source: &Source) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Sequence(items) => items.iter().map(|item| to_json(item, source)).collect(),
        Value::Mapping(entries) => {
            entries.iter().map(|(key, value)| (key.name.clone(), to_json(value, source))).collect()
        }
        Value::Bool(_) | Value::Integer(_) | Value::Other | Value::Text(_) => {
            node.text(source).unwrap_or_default().into()
        }
    }
}
