//! `test` blocks.

pub(crate) mod definitions;
mod helper_options;
pub(crate) mod interactive;
mod monitor;
mod requests;
mod testdef;

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{BlockKind, TestBlock};
use crate::job::part::Owner;

/// The supported kinds, by the key that each has.
const KINDS: [(&str, Owner); 3] =
    [("definitions", Owner::Test), ("interactive", Owner::Interactive), ("monitors", Owner::Monitors)];

/// LAVA's other kinds.
const UNSUPPORTED: [&str; 2] = ["docker", "services"];

/// What is supported, for messages.
const SUPPORTED: &str = "supported are tests with `definitions`, `interactive` or `monitors`";

/// What kind of test it is; others are reported.
pub(crate) fn owner(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Owner> {
    for kind in UNSUPPORTED {
        if let Some(span) = fields.key_span(kind) {
            let message = format!("`test` with `{kind}` is not supported");
            reader.report(Diagnostic::error(Code::UnsupportedTest, span, message).with_help(SUPPORTED));
            return None;
        }
    }
    let mut kinds = KINDS.iter().filter(|(key, _)| fields.get(key).is_some());
    let Some(&(first, owner)) = kinds.next() else {
        // Where a key is misspelt, that is told, and the rest checked as it was meant.
        let meant = fields.require_one_of(reader, &KINDS.map(|(key, _)| key), SUPPORTED)?;
        return KINDS.iter().find(|(key, _)| *key == meant).map(|&(_, owner)| owner);
    };
    if let Some(&(second, _)) = kinds.next() {
        let span = fields.key_span(second).unwrap_or(fields.span);
        let message = format!("`{first}` and `{second}` of one `test` exclude each other");
        let problem = Diagnostic::error(Code::ExclusiveKeys, span, message);
        let problem = problem.with_label(fields.key_span(first).unwrap_or(fields.span), "the other one");
        reader.report(problem.with_help("write a `test` for each"));
        return None;
    }
    Some(owner)
}

/// Reads a `test` block of the kind `owner`.
pub(crate) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, owner: Owner) -> Option<BlockKind> {
    fields.accept(&["connection"]);
    let name = fields.get("name").and_then(|node| reader.string(node, "name"));
    match owner {
        Owner::Interactive => {
            let scripts =
                fields.require(reader, "interactive").and_then(|node| interactive::read(reader, node));
            scripts.map(BlockKind::Interactive)
        }
        Owner::Monitors => {
            let monitors = fields.require(reader, "monitors").and_then(|node| monitor::read(reader, node));
            monitors.map(BlockKind::Monitors)
        }
        _ => {
            let definitions =
                fields.require(reader, "definitions").and_then(|node| definitions::read(reader, node));
            definitions.map(|definitions| BlockKind::Test(TestBlock { name, definitions }))
        }
    }
}

/// Reads a list of named things, whose names must differ.
fn named_list<T>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &'static str,
    mut read: impl FnMut(&mut Reader<'_>, &Node, usize) -> Option<T>,
    name: impl Fn(&T) -> &str,
) -> Option<Vec<T>> {
    let Value::Sequence(items) = &node.value else {
        let problem = reader.wrong_type(node, what, "a list");
        reader.report(problem.with_help("begin each entry with `- `"));
        return None;
    };
    if items.is_empty() {
        reader.report(Diagnostic::error(Code::EmptyValue, node.span, format!("`{what}` is empty")));
    }
    let mut all: Vec<T> = Vec::new();
    let errors = reader.error_count();
    for (index, item) in items.iter().enumerate() {
        let Some(value) = read(reader, item, index) else { continue };
        if all.iter().any(|other| name(other) == name(&value)) {
            let message = format!("two entries of `{what}` are named `{}`", name(&value));
            reader.report(Diagnostic::error(Code::DuplicateName, item.span, message));
        }
        all.push(value);
    }
    // What is not complete says nothing of what it asks of the group, and of what that lacks.
    (reader.error_count() == errors).then_some(all)
}

/// The name of a definition, script or monitor: it becomes part of a directory's name on the target, or of a result's.
fn test_name(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let name = reader.non_empty(node, "name")?;
    if name == "lava" {
        let message = "`lava` is LAVA's own name for what is not part of a test";
        reader
            .report(Diagnostic::error(Code::InvalidName, node.span, message).with_help("give another name"));
        return None;
    }
    reader.check_name(&name, node.span, what).then_some(name)
}
