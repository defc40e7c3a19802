//! The top level of a job file.

use super::block::{self, Blocks};
use super::context;
use super::indent::{self, Thoroughness};
use super::messages;
use super::namespace;
use super::order;
use super::places;
use super::protocol;
use super::role;
use super::timeout::JobTimeouts;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::document::{Fields, Node, Reader, Value, parse_yaml};
use crate::job::model::{Job, Located, Role};
use crate::job::text::hidden;
use crate::text::without_steering;

/// Longest `job_name`, in characters, as in LAVA.
const MAX_NAME: usize = 200;

impl Job {
    /// Parses and checks a job file.
    ///
    /// # Errors
    /// Every problem of the file at once; one only if it is not YAML.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let problems_of = |source: &Source, thoroughness| match Self::check(source, thoroughness) {
            Ok(job) => job.warnings,
            Err(bad) => bad.problems,
        };
        match Self::check(source, Thoroughness::Whole) {
            Ok(job) => Ok(Self { warnings: indent::explain(source, job.warnings, problems_of), ..job }),
            Err(bad) => {
                Err(Diagnostics { problems: indent::explain(source, bad.problems, problems_of), ..bad })
            }
        }
    }

    /// As [`Self::parse`], with every problem as it is found.
    fn check(source: &Source, thoroughness: Thoroughness) -> Result<Self, Diagnostics> {
        let failed = |problem| Diagnostics { source: source.clone(), problems: vec![problem] };
        if source.text.trim().is_empty() {
            return Err(failed(Diagnostic::error(Code::EmptyValue, Span::default(), "the file is empty")));
        }
        let node = parse_yaml(source).map_err(|problem| failed(*problem))?;
        let mut reader = Reader::new(source).with_places(places::of);
        if thoroughness == Thoroughness::Structure {
            reader = reader.without_regexes();
        }
        let job = document(&mut reader, &node);
        let (mut job, warnings) = reader.finish(job)?;
        job.warnings = warnings;
        Ok(job)
    }
}

fn document(reader: &mut Reader<'_>, node: &Node) -> Option<Job> {
    let top = reader.fields(node, "job")?;
    if let Some((what, help)) = other_file(&top) {
        let problem = Diagnostic::error(Code::WrongType, top.span, format!("this is {what}, and no job"));
        reader.report(problem.with_help(help));
        return None;
    }
    if protocol::is_servers_form(reader, &top) {
        return None;
    }
    let mut recorded = recorded(reader, &top);
    let name = top.require(reader, "job_name").and_then(|node| job_name(reader, node));
    let timeouts = JobTimeouts::read(reader, &top);
    let multinode = protocol::multinode(reader, &top);
    let roles = role::read(reader, &top, multinode.as_ref());
    let context = top.get("context");
    recorded.extend(context.into_iter().chain(role::contexts(multinode.as_ref())).flat_map(context::idle));
    let context = context.map(|node| context::read(reader, node)).unwrap_or_default();
    let tags = top.get("tags").map(|node| role::tags(reader, node)).unwrap_or_default();
    let environment = top.get("environment").map(|node| reader.variables(node, "environment"));
    let secrets = top.get("secrets").map(|node| reader.variables(node, "secrets"));
    let actions = top.require(reader, "actions");
    let blocks = actions.and_then(|node| block::read(reader, node, &timeouts, &roles));
    roles.report_unknown(reader);
    top.finish(reader);
    let Blocks { blocks, has_all_calls } = blocks?;
    // A role that cannot be read is told of; what it asks of the group, and the others of it, is not known.
    let all_roles = roles.is_complete();
    let roles: Vec<Role> = roles
        .checked
        .into_iter()
        .map(|role| Role {
            context: role.context.or(&context),
            tags: [tags.clone(), role.tags].concat(),
            ..role
        })
        .collect();
    let in_namespaces = namespace::check(reader, &blocks);
    // Without the roles or the namespace of every block it is not known what comes before what.
    let in_roles = blocks.iter().all(|block| !block.roles.is_empty());
    if in_roles && in_namespaces {
        order::check(reader, &roles, &blocks, has_all_calls);
    }
    if in_roles && all_roles && has_all_calls {
        messages::check(reader, &roles, &blocks);
    }
    Some(Job {
        source: reader.source.clone(),
        name: name?,
        power_off: timeouts.power_off(),
        timeout: timeouts.job,
        roles,
        blocks,
        environment: environment.unwrap_or_default(),
        secrets: secrets.unwrap_or_default(),
        secrets_at: place_of_secrets(node, reader.source),
        hidden: hidden(node, reader.source),
        recorded,
        warnings: Vec::new(),
    })
}

/// From the key `secrets` to the next key behind it, or to the end of the file.
fn place_of_secrets(job: &Node, source: &Source) -> Option<Span> {
    let Value::Mapping(entries) = &job.value else { return None };
    let keys = || entries.iter().map(|(key, _)| key);
    let offset = keys().find(|key| key.name == "secrets")?.span.offset;
    let behind = keys().map(|key| key.span.offset).filter(|other| *other > offset).min();
    Some(Span { offset, len: behind.unwrap_or(source.text.len()).saturating_sub(offset) })
}

/// What a file without any key of a job is, and what to do with it.
fn other_file(top: &Fields<'_>) -> Option<(&'static str, &'static str)> {
    let has = |key| top.is_written(key);
    if has("job_name") || has("timeouts") || has("actions") {
        return None;
    }
    if has("metadata") && has("run") {
        return Some((
            "a test definition",
            "name it in a job: `test`, `definitions`, with `from` and `path`",
        ));
    }
    let is_device = has("commands") && (has("character_delays") || has("constants") || has("parameters"));
    is_device.then_some(("a device of LAVA's", "`host-runner import lava FILE` makes a board of it"))
}

/// Keys for a server that plans and shows jobs, and tells of them: nothing to do for a program that runs one. Those that
/// the job has.
fn recorded(reader: &mut Reader<'_>, top: &Fields<'_>) -> Vec<Located<String>> {
    const KEYS: [&str; 8] = [
        "visibility",
        "priority",
        "metadata",
        "notify",
        "device",
        "worker",
        "reboot_to_fastboot",
        // What a server adds to the definition of a job that it shows.
        "compatible",
    ];
    top.accept(&KEYS);
    if let Some(node) = top.get("visibility") {
        visibility(reader, node);
    }
    if let Some(node) = top.get("priority") {
        priority(reader, node);
    }
    let located = |key: &&'static str| {
        Some(Located { value: (*key).to_owned(), span: top.get(key).and_then(|_| top.key_span(key))? })
    };
    KEYS.iter().filter_map(located).collect()
}

/// `public`, `personal`, or a mapping with the groups that may see the job.
fn visibility(reader: &mut Reader<'_>, node: &Node) {
    if !matches!(node.value, Value::Mapping(_)) {
        let all = "it is `public`, `personal`, or a mapping with `group` and a list of groups";
        reader.choice_of(node, "visibility", &[("public", ()), ("personal", ())], all);
        return;
    }
    let Some(fields) = reader.fields(node, "visibility") else { return };
    if let Some(node) = fields.require(reader, "group") {
        reader.strings(node, "group");
    }
    fields.finish(reader);
}

/// A word, or a number from 0 to 100.
fn priority(reader: &mut Reader<'_>, node: &Node) {
    match node.value {
        Value::Integer(_) => {
            reader.integer(node, "priority", 0, 100);
        }
        _ => {
            let all = "it is `high`, `medium`, `low`, or a number from 0 to 100";
            reader.choice_of(node, "priority", &[("high", ()), ("medium", ()), ("low", ())], all);
        }
    }
}

fn job_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.non_empty(node, "job_name")?;
    let length = name.chars().count();
    if length > MAX_NAME {
        let message = format!("`job_name` has {length} characters; {MAX_NAME} are allowed");
        reader.report(Diagnostic::error(Code::OutOfRange, node.span, message));
    }
    // It is printed wherever runs are listed.
    if let Some(escaped) = without_steering(&name) {
        let message = format!("`job_name` has characters that steer a terminal: `{escaped}`");
        reader.report(Diagnostic::error(Code::InvalidName, node.span, message).with_help("leave them out"));
    }
    Some(name)
}
