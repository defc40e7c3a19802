//! `definitions` of `test` blocks.

use std::path::Path;

use super::{named_list, test_name, testdef};
use crate::artifact::{Checksums, Compression};
use crate::diagnostic::{Code, Diagnostic, meant, nearest};
use crate::document::{Fields, Node, Reader};
use crate::job::check::deploy::{artifact_url, compression, headers};
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

/// The kinds of `from`.
#[derive(Clone, Copy)]
enum From {
    Inline,
    Git,
    Url,
    Directory,
}

const FROM: [(&str, From); 4] =
    [("inline", From::Inline), ("git", From::Git), ("url", From::Url), ("directory", From::Directory)];

/// What is supported, for messages.
const SUPPORTED: &str = "supported are `inline`, `git`, `url` and `directory`";

/// Reads all keys before it gives up for one of them, so that the others count as known.
fn definition_source(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<DefinitionSource> {
    let from = fields.require(reader, "from").and_then(|node| from(reader, node));
    let repository = fields.require(reader, "repository");
    let path = fields.require(reader, "path").and_then(|node| testdef::relative_path(reader, node, "path"));
    match from {
        Some(From::Inline) => {
            let definition = testdef::inline(reader, repository?)?;
            Some(DefinitionSource::Inline(Box::new(definition)))
        }
        Some(From::Git) => git(reader, fields, repository, path),
        Some(From::Url) => tar(reader, fields, repository, path),
        Some(From::Directory) => {
            let directory = reader.non_empty(repository?, "repository")?;
            let job = Path::new(&reader.source.name).parent().unwrap_or(Path::new(""));
            let directory = job.join(directory).display().to_string();
            Some(DefinitionSource::Directory { directory, path: path? })
        }
        None => {
            fields.accept(&GIT_KEYS);
            fields.accept(&TAR_KEYS);
            None
        }
    }
}

/// Keys of `from: git`.
const GIT_KEYS: [&str; 5] = ["branch", "revision", "recursive", "history", "shallow"];

/// Keys of `from: url`.
const TAR_KEYS: [&str; 3] = ["compression", "strip-components", "headers"];

fn git(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    repository: Option<&Node>,
    path: Option<String>,
) -> Option<DefinitionSource> {
    let branch = fields.get("branch").and_then(|node| git_ref(reader, node, "branch"));
    let revision = fields.get("revision").and_then(|node| git_ref(reader, node, "revision"));
    let recursive = fields.get("recursive").and_then(|node| reader.boolean(node, "recursive"));
    // Repositories are never checked out here: how much of their history is fetched cannot be told apart.
    fields.accept(&GIT_KEYS);
    let url = reader.non_empty(repository?, "repository")?;
    Some(DefinitionSource::Git { url, branch, revision, recursive: recursive.unwrap_or(false), path: path? })
}

/// `from: url`: a tar, compressed or not.
fn tar(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    repository: Option<&Node>,
    path: Option<String>,
) -> Option<DefinitionSource> {
    let compression = fields.get("compression").and_then(|node| compression(reader, node));
    let strip = fields.get("strip-components");
    let strip = strip.and_then(|node| reader.integer(node, "strip-components", 0, MAX_STRIP));
    let headers = headers(reader, fields);
    let repository = repository?;
    let url = artifact_url(reader, repository, "repository")?;
    let artifact = ArtifactSpec {
        // As LAVA does where nothing is said.
        compression: compression.or_else(|| Compression::of_name(&url)),
        url,
        filename: None,
        in_tar: false,
        checksums: Checksums::default(),
        headers,
        use_cache: true,
        place: reader.place(repository.span),
    };
    Some(DefinitionSource::Tar { artifact: Box::new(artifact), strip: strip.unwrap_or(0), path: path? })
}

/// `from`; one that is misspelt is noted and taken as it was meant.
fn from(reader: &mut Reader<'_>, node: &Node) -> Option<From> {
    let from = reader.string(node, "from")?;
    let of = |name: &str| FROM.iter().find(|(known, _)| *known == name).map(|&(_, from)| from);
    if let Some(from) = of(&from) {
        return Some(from);
    }
    let near = nearest(&from, FROM.map(|(name, _)| name));
    let problem = if from == "bzr" {
        let message = format!("`from: {from}` is not supported");
        Diagnostic::error(Code::UnsupportedTest, node.span, message).with_help(SUPPORTED)
    } else {
        let message = format!("`definitions` knows no `from: {from}`");
        Diagnostic::error(Code::UnknownValue, node.span, message).with_help(meant(near, SUPPORTED))
    };
    reader.report(problem);
    near.and_then(of)
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
