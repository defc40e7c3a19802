//! `test` blocks.

use super::timeout::JobTimeouts;
use super::{protocol, testdef, timeout};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{BlockKind, DefinitionSource, DefinitionSpec, InstallPart, TestBlock, Timeouts};
use crate::job::part::Owner;

const PARTS: [(&str, InstallPart); 6] = [
    ("keys", InstallPart::Keys),
    ("sources", InstallPart::Sources),
    ("deps", InstallPart::Deps),
    ("steps", InstallPart::Steps),
    ("git-repos", InstallPart::GitRepos),
    ("all", InstallPart::All),
];

/// Other kinds of tests.
const UNSUPPORTED: [&str; 4] = ["interactive", "monitors", "docker", "services"];

/// Reads a `test` block.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    timeouts: &JobTimeouts,
) -> Option<(BlockKind, Timeouts)> {
    let mut supported = true;
    for kind in UNSUPPORTED {
        if fields.get(kind).is_some() {
            let span = fields.key_span(kind).unwrap_or(fields.span);
            let message = format!("`test` with `{kind}` is not supported");
            let help = "supported are tests with `definitions`";
            reader.report(Diagnostic::error("unsupported-test", span, message).with_help(help));
            supported = false;
        }
    }
    if !supported {
        return None;
    }
    fields.accept(&["connection"]);
    fields.ignore(reader, &["failure_retry", "failure_retry_interval"]);
    protocol::refuse_calls(reader, fields);
    let timeouts = timeouts.of_block(reader, fields, Owner::Test);
    let name = fields.get("name").and_then(|node| reader.string(node, "name"));
    let definitions = fields.require(reader, "definitions").and_then(|node| definitions(reader, node));
    fields.finish(reader);
    Some((BlockKind::Test(TestBlock { name, definitions: definitions? }), timeouts))
}

fn definitions(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<DefinitionSpec>> {
    let Value::Sequence(items) = &node.value else {
        let problem = reader.wrong_type(node, "definitions", "a list");
        reader.report(problem.with_help("begin each definition with `- `"));
        return None;
    };
    if items.is_empty() {
        reader.report(Diagnostic::error("empty-value", node.span, "`definitions` is empty"));
    }
    let mut definitions: Vec<DefinitionSpec> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(spec) = definition(reader, item, index) else { continue };
        if definitions.iter().any(|other| other.name == spec.name) {
            let message = format!("two definitions of this test are named `{}`", spec.name);
            reader.report(Diagnostic::error("duplicate-name", item.span, message));
        }
        definitions.push(spec);
    }
    Some(definitions)
}

fn definition(reader: &mut Reader<'_>, node: &Node, index: usize) -> Option<DefinitionSpec> {
    let fields = reader.fields(node, "definitions")?;
    // Repositories are never checked out here: how much of their history is fetched cannot be told apart.
    fields.accept(&["history", "shallow"]);
    // Results travel in frames, which kernel messages cannot corrupt: there is no need for the kernel's log.
    fields.accept(&["lava-signal"]);
    fields.ignore(reader, &["recursive"]);
    let name = fields.require(reader, "name").and_then(|node| definition_name(reader, node));
    let source = definition_source(reader, &fields);
    let params = params(reader, &fields);
    let skip_install = fields
        .get("skip_install")
        .map(|node| reader.list(node, |reader, item| reader.choice(item, "skip_install", &PARTS)));
    let expected = fields.get("expected").map(|node| reader.strings(node, "expected"));
    let timeout = timeout::own(reader, &fields);
    fields.finish(reader);
    let name = name?;
    Some(DefinitionSpec {
        dir: format!("{index}_{name}"),
        name,
        source: source?,
        params,
        skip_install: skip_install.unwrap_or_default(),
        expected,
        timeout,
        place: reader.place(node.span),
    })
}

/// The name becomes part of a directory's name on the target.
fn definition_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.non_empty(node, "name")?;
    if name == "lava" {
        let message = "`lava` is LAVA's own name for what is not part of a definition";
        reader.report(Diagnostic::error("invalid-name", node.span, message).with_help("give another name"));
        return None;
    }
    reader.check_name(&name, node.span, "definition").then_some(name)
}

fn definition_source(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<DefinitionSource> {
    let from_node = fields.require(reader, "from");
    let repository = fields.require(reader, "repository");
    let path = fields.require(reader, "path").and_then(|node| testdef::relative_path(reader, node, "path"));
    let branch = fields.get("branch").and_then(|node| git_ref(reader, node, "branch"));
    let revision = fields.get("revision").and_then(|node| git_ref(reader, node, "revision"));
    let from_node = from_node?;
    let from = reader.string(from_node, "from")?;
    match from.as_str() {
        "inline" => {
            let definition = testdef::read(reader, repository?)?;
            Some(DefinitionSource::Inline(Box::new(definition)))
        }
        "git" => {
            let url = reader.non_empty(repository?, "repository")?;
            Some(DefinitionSource::Git { url, branch, revision, path: path? })
        }
        _ => {
            let known = ["inline", "git"];
            let problem = if from == "url" {
                let message = "`from: url` is not supported";
                Diagnostic::error("unsupported-test", from_node.span, message)
                    .with_help("supported are `inline` and `git`")
            } else {
                let message = format!("`definitions` knows no `from: {from}`");
                Diagnostic::error("unknown-value", from_node.span, message)
                    .with_optional_help(did_you_mean(&from, known))
            };
            reader.report(problem);
            None
        }
    }
}

/// A branch or commit. Git would take one that begins with `-` for an option.
pub(super) fn git_ref(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let name = reader.non_empty(node, what)?;
    if name.starts_with('-') {
        let message = format!("`{what}` cannot begin with `-`");
        reader.report(Diagnostic::error("invalid-name", node.span, message));
        return None;
    }
    Some(name)
}

/// `params`, and `parameters`, which wins.
fn params(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<(String, String)> {
    let mut params = Vec::new();
    for key in ["params", "parameters"] {
        let Some(node) = fields.get(key) else { continue };
        params.extend(testdef::variables(reader, node, key));
    }
    params
}
