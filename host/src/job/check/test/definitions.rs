//! `definitions` of `test` blocks.

use std::path::Path;

use super::{named_list, test_name, testdef};
use crate::artifact::{Checksums, Compression};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader};
use crate::job::check::deploy::{artifact_url, compression};
use crate::job::check::timeout;
use crate::job::model::{ArtifactSpec, DefinitionSource, DefinitionSpec, InstallPart};

/// Most leading parts of names that are left out.
pub(crate) const MAX_STRIP: u32 = 64;

const PARTS: [(&str, InstallPart); 6] = [
    ("keys", InstallPart::Keys),
    ("sources", InstallPart::Sources),
    ("deps", InstallPart::Deps),
    ("steps", InstallPart::Steps),
    ("git-repos", InstallPart::GitRepos),
    ("all", InstallPart::All),
];

/// Reads `definitions`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<DefinitionSpec>> {
    named_list(reader, node, "definitions", definition, |spec| &spec.name)
}

fn definition(reader: &mut Reader<'_>, node: &Node, index: usize) -> Option<DefinitionSpec> {
    let fields = reader.fields(node, "definitions")?;
    // Results travel in frames, which kernel messages cannot corrupt: there is no need for the kernel's log.
    fields.accept(&["lava-signal"]);
    let name = fields.require(reader, "name").and_then(|node| test_name(reader, node, "definition"));
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

fn definition_source(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<DefinitionSource> {
    let from_node = fields.require(reader, "from");
    let repository = fields.require(reader, "repository");
    let path = fields.require(reader, "path").and_then(|node| testdef::relative_path(reader, node, "path"));
    let from_node = from_node?;
    let from = reader.string(from_node, "from")?;
    match from.as_str() {
        "inline" => {
            let definition = testdef::read(reader, repository?)?;
            Some(DefinitionSource::Inline(Box::new(definition)))
        }
        "git" => git(reader, fields, repository?, path?),
        "url" => tar(reader, fields, repository?, path?),
        "directory" => {
            let directory = reader.non_empty(repository?, "repository")?;
            let job = Path::new(&reader.source.name).parent().unwrap_or(Path::new(""));
            let directory = job.join(directory).display().to_string();
            Some(DefinitionSource::Directory { directory, path: path? })
        }
        _ => {
            report_unknown_source(reader, from_node, &from);
            None
        }
    }
}

fn git(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    repository: &Node,
    path: String,
) -> Option<DefinitionSource> {
    let url = reader.non_empty(repository, "repository")?;
    let branch = fields.get("branch").and_then(|node| git_ref(reader, node, "branch"));
    let revision = fields.get("revision").and_then(|node| git_ref(reader, node, "revision"));
    let recursive = fields.get("recursive").and_then(|node| reader.boolean(node, "recursive"));
    // Repositories are never checked out here: how much of their history is fetched cannot be told apart.
    fields.accept(&["history", "shallow"]);
    Some(DefinitionSource::Git { url, branch, revision, recursive: recursive.unwrap_or(false), path })
}

/// `from: url`: a tar, compressed or not.
fn tar(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    repository: &Node,
    path: String,
) -> Option<DefinitionSource> {
    let url = artifact_url(reader, repository, "repository");
    let compression = fields.get("compression").and_then(|node| compression(reader, node));
    let strip = fields.get("strip-components");
    let strip = strip.and_then(|node| reader.integer(node, "strip-components", 0, MAX_STRIP));
    fields.refuse(reader, &["headers"]);
    let url = url?;
    let artifact = ArtifactSpec {
        // As LAVA does where nothing is said.
        compression: compression.or_else(|| Compression::of_name(&url)),
        url,
        filename: None,
        in_tar: false,
        checksums: Checksums::default(),
        place: reader.place(repository.span),
    };
    Some(DefinitionSource::Tar { artifact: Box::new(artifact), strip: strip.unwrap_or(0), path })
}

fn report_unknown_source(reader: &mut Reader<'_>, node: &Node, from: &str) {
    let known = ["inline", "git", "url", "directory"];
    let supported = "supported are `inline`, `git`, `url` and `directory`";
    let problem = if from == "bzr" {
        let message = format!("`from: {from}` is not supported");
        Diagnostic::error(Code::UnsupportedTest, node.span, message).with_help(supported)
    } else {
        let message = format!("`definitions` knows no `from: {from}`");
        let near = did_you_mean(from, known);
        Diagnostic::error(Code::UnknownValue, node.span, message)
            .with_help(near.map_or(supported.to_owned(), |near| format!("{near} {supported}")))
    };
    reader.report(problem);
}

/// A branch or commit. Git would take one that begins with `-` for an option.
pub(super) fn git_ref(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let name = reader.non_empty(node, what)?;
    if name.starts_with('-') {
        let message = format!("`{what}` cannot begin with `-`");
        reader.report(Diagnostic::error(Code::InvalidName, node.span, message));
        return None;
    }
    Some(name)
}

/// `params`, and `parameters`, which wins.
fn params(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<(String, String)> {
    let mut params = Vec::new();
    for key in ["params", "parameters"] {
        let Some(node) = fields.get(key) else { continue };
        params.extend(reader.variables(node, key));
    }
    params
}
