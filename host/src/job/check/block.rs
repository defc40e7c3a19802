//! The list of action blocks, and the keys that all kinds of them have.

use std::time::Duration;

use super::role::{self, Roles};
use super::timeout::JobTimeouts;
use super::{boot, command, deploy, protocol, test};
use crate::diagnostic::{Code, Diagnostic, Span, meant, nearest};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{Block, Located, Retries};
use crate::job::part::Owner;

/// Most action blocks of a job, each counted as often as it is repeated.
pub(crate) const MAX_BLOCKS: usize = 200;

/// Most attempts at a block, and most times that it is done.
pub(crate) const MAX_TIMES: u32 = 100;

/// Longest time between two attempts, in seconds.
pub(crate) const MAX_INTERVAL: u32 = 3600;

const KINDS: [&str; 4] = ["deploy", "boot", "test", "command"];

/// Names of namespaces that LAVA keeps for itself.
const RESERVED: [&str; 2] = ["common", "docker-test-shell"];

/// The action blocks of a job.
pub(crate) struct Blocks {
    pub(crate) blocks: Vec<Block>,
    /// Whether all that they ask of the group could be read.
    pub(crate) has_all_calls: bool,
}

/// Reads `actions`; `None` if one of them is wrong, after all were read.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    timeouts: &JobTimeouts,
    roles: &Roles,
) -> Option<Blocks> {
    let Value::Sequence(items) = &node.value else {
        let problem = reader.wrong_type(node, "actions", "a list");
        reader.report(problem.with_help("begin each action with `- `"));
        return None;
    };
    if items.is_empty() || items.len() > MAX_BLOCKS {
        let message = format!("`actions` must have from 1 to {MAX_BLOCKS} entries, not {}", items.len());
        reader.report(Diagnostic::error(Code::OutOfRange, node.span, message));
        return None;
    }
    let mut has_all_calls = true;
    let mut read = |item| block(reader, item, timeouts, roles, &mut has_all_calls);
    let blocks: Vec<_> = items.iter().map(&mut read).collect();
    let blocks: Vec<Block> = blocks.into_iter().collect::<Option<_>>()?;
    let times: usize = blocks.iter().map(|block| block.retries.repeat as usize).sum();
    if times > MAX_BLOCKS {
        let message = format!("with `repeat`, `actions` has {times} entries; {MAX_BLOCKS} are allowed");
        reader.report(Diagnostic::error(Code::OutOfRange, node.span, message));
    }
    Some(Blocks { blocks, has_all_calls })
}

fn block(
    reader: &mut Reader<'_>,
    node: &Node,
    timeouts: &JobTimeouts,
    roles: &Roles,
    has_all_calls: &mut bool,
) -> Option<Block> {
    let entry = reader.fields(node, "action")?;
    let mut entries = entry.rest();
    let (Some((kind, body)), None) = (entries.next(), entries.next()) else {
        report_not_an_action(reader, &entry);
        return None;
    };
    let span = entry.key_span(kind).unwrap_or(entry.span);
    let kind = if KINDS.contains(&kind) { kind } else { misspelt_kind(reader, kind, span, body)? };
    let mut fields = reader.fields(body, kind)?;
    fields.span = span;
    let roles = role::of_block(reader, &fields, roles);
    let namespace = namespace(reader, &fields, "namespace");
    let connection_namespace = namespace_of_connection(reader, &fields, kind);
    let retries = retries(reader, &fields);
    let owner = match kind {
        "deploy" => deploy::owner(reader, &fields),
        "boot" => boot::owner(reader, &fields),
        "test" => test::owner(reader, &fields),
        _ => Some(Owner::Command),
    }?;
    let timeouts = timeouts.of_block(reader, &fields, owner);
    let errors = reader.error_count();
    let calls = protocol::calls(reader, &fields, owner, &timeouts);
    *has_all_calls &= reader.error_count() == errors;
    let kind = match kind {
        "deploy" => Some(deploy::read(reader, &fields, owner)),
        "boot" => boot::read(reader, &fields, owner),
        "test" => test::read(reader, &fields, owner),
        _ => command::read(reader, &fields),
    };
    fields.finish(reader);
    let kind = kind?;
    Some(Block { kind, roles, namespace, connection_namespace, calls, retries, timeouts, span })
}

fn report_not_an_action(reader: &mut Reader<'_>, entry: &Fields<'_>) {
    let is_kind = |key: &str| KINDS.contains(&key);
    let mut kinds = entry.rest().filter(|(key, _)| is_kind(key));
    let (first, second) = (kinds.next(), kinds.next());
    let at = |key: &str| entry.key_span(key).unwrap_or(entry.span);
    if let (Some((first, _)), Some((second, _))) = (first, second) {
        let message = format!("`{second}` is part of the action `{first}` above it");
        let problem = Diagnostic::error(Code::NotAnAction, at(second), message);
        let problem = problem.with_label(at(first), "that action");
        return reader.report(problem.with_help(format!("begin each action with `- `: write `- {second}:`")));
    }
    let message = "an action must be one of `deploy`, `boot`, `test` and `command`, with its keys below it";
    let stray = entry.rest().find(|(key, _)| !is_kind(key));
    let problem = match (first, stray) {
        (Some((first, _)), Some((stray, _))) => Diagnostic::error(Code::NotAnAction, at(stray), message)
            .with_label(at(first), "the action's name"),
        _ => Diagnostic::error(Code::NotAnAction, entry.span, message),
    };
    reader.report(problem.with_help("indent the keys of an action deeper than its name"));
}

/// Notes that there is no such kind; the one that was meant, so that the block is checked as one of that.
fn misspelt_kind(reader: &mut Reader<'_>, kind: &str, span: Span, body: &Node) -> Option<&'static str> {
    if kind == "repeat" {
        let message = "the action `repeat` is not supported";
        let help = "LAVA has dropped it: write `repeat` into the actions themselves";
        reader.report(Diagnostic::error(Code::UnsupportedAction, span, message).with_help(help));
        return None;
    }
    let near = nearest(kind, KINDS);
    let help = meant(near, "it is one of `deploy`, `boot`, `test`, `command`");
    let message = format!("there is no action `{kind}`");
    reader.report(Diagnostic::error(Code::UnknownAction, span, message).with_help(help));
    near.filter(|_| matches!(body.value, Value::Mapping(_)))
}

fn namespace(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &'static str) -> Option<Located<String>> {
    let node = fields.get_misspelt(reader, key)?;
    let value = reader.non_empty(node, key)?;
    if RESERVED.contains(&value.as_str()) {
        let message = format!("`{value}` is LAVA's own name for a namespace");
        let problem = Diagnostic::error(Code::InvalidName, node.span, message);
        reader.report(problem.with_help("give another name"));
    }
    Some(Located { value, span: node.span })
}

/// Only tests use the connection of another namespace.
fn namespace_of_connection(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    kind: &str,
) -> Option<Located<String>> {
    let namespace = namespace(reader, fields, "connection-namespace");
    if kind != "test" && namespace.is_some() {
        fields.ignore(reader, &["connection-namespace"]);
        return None;
    }
    namespace
}

fn retries(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Retries {
    let usual = Retries::default();
    let mut times = |key: &'static str| {
        fields.get(key).and_then(|node| reader.integer(node, key, 1, MAX_TIMES)).unwrap_or(1)
    };
    let (attempts, repeat) = (times("failure_retry"), times("repeat"));
    let interval = fields.get("failure_retry_interval");
    let interval = interval.and_then(|node| reader.integer(node, "failure_retry_interval", 0, MAX_INTERVAL));
    if attempts > 1 && repeat > 1 {
        // As in LAVA, where one replaces the other in the loop.
        let span = fields.key_span("repeat").unwrap_or(fields.span);
        let message = format!("`repeat` and `failure_retry` of `{}` exclude each other", fields.what);
        let problem = Diagnostic::error(Code::ExclusiveKeys, span, message);
        let other = fields.key_span("failure_retry").unwrap_or(fields.span);
        reader.report(problem.with_label(other, "the other one"));
    }
    let interval = interval.map_or(usual.interval, |seconds| Duration::from_secs(seconds.into()));
    Retries { attempts, interval, repeat }
}
