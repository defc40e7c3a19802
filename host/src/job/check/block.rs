//! The list of action blocks.

use super::role::{self, Roles};
use super::timeout::JobTimeouts;
use super::{boot, deploy, test_block};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::Block;

/// Most action blocks of a job.
const MAX_BLOCKS: usize = 200;

const KINDS: [&str; 3] = ["deploy", "boot", "test"];

/// Reads `actions`; `None` if one of them is wrong, after all were read.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    timeouts: &JobTimeouts,
    roles: &Roles,
) -> Option<Vec<Block>> {
    let Value::Sequence(items) = &node.value else {
        let problem = reader.wrong_type(node, "actions", "a list");
        reader.report(problem.with_help("begin each action with `- `"));
        return None;
    };
    if items.is_empty() || items.len() > MAX_BLOCKS {
        let message = format!("`actions` must have from 1 to {MAX_BLOCKS} entries, not {}", items.len());
        reader.report(Diagnostic::error("out-of-range", node.span, message));
        return None;
    }
    let blocks: Vec<_> = items.iter().map(|item| block(reader, item, timeouts, roles)).collect();
    blocks.into_iter().collect()
}

fn block(reader: &mut Reader<'_>, node: &Node, timeouts: &JobTimeouts, roles: &Roles) -> Option<Block> {
    let entry = reader.fields(node, "action")?;
    let mut entries = entry.rest();
    let (Some((kind, body)), None) = (entries.next(), entries.next()) else {
        let message = "an action must be one of `deploy`, `boot` and `test`, with its keys below it";
        let help = "indent the keys of an action deeper than its name";
        reader.report(Diagnostic::error("not-an-action", entry.span, message).with_help(help));
        return None;
    };
    let span = entry.key_span(kind).unwrap_or(entry.span);
    if !KINDS.contains(&kind) {
        let problem = if kind == "command" {
            Diagnostic::error("unsupported-action", span, "action `command` is not supported")
        } else {
            Diagnostic::error("unknown-action", span, format!("there is no action `{kind}`"))
        };
        reader.report(problem.with_optional_help(did_you_mean(kind, KINDS)));
        return None;
    }
    let mut fields = reader.fields(body, kind)?;
    fields.span = span;
    let roles = role::of_block(reader, &fields, roles);
    refuse_namespaces(reader, &fields);
    let (kind, timeouts) = match kind {
        "deploy" => deploy::read(reader, &fields, timeouts),
        "boot" => boot::read(reader, &fields, timeouts),
        _ => test_block::read(reader, &fields, timeouts),
    }?;
    Some(Block { kind, roles, timeouts, span })
}

/// Namespaces let one job drive several devices at once; running their blocks on one would be wrong.
fn refuse_namespaces(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    fields.refuse(reader, &["namespace", "connection-namespace"]);
}
