//! `monitors` of `test` blocks: results that are only listened for.

use super::{named_list, test_name, testdef};
use crate::document::{Node, Reader};
use crate::job::model::Monitor;

/// Reads `monitors`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Monitor>> {
    named_list(reader, node, "monitors", |reader, item, _| monitor(reader, item), |monitor| &monitor.name)
}

fn monitor(reader: &mut Reader<'_>, node: &Node) -> Option<Monitor> {
    let fields = reader.fields(node, "monitors")?;
    let name = fields.require(reader, "name").and_then(|node| test_name(reader, node, "monitor"));
    let start = fields.require(reader, "start").and_then(|node| reader.regex_or_empty(node, "start"));
    let end = fields.require(reader, "end").and_then(|node| reader.regex(node, "end"));
    // As in LAVA, what has no result has passed.
    let pattern = fields.require(reader, "pattern");
    let pattern = pattern.and_then(|node| testdef::pattern(reader, node, &["test_case_id"]));
    let fixups = fields.get("fixupdict").map(|node| testdef::fixups(reader, node));
    let expected = fields.get("expected").map(|node| reader.strings(node, "expected"));
    fields.finish(reader);
    Some(Monitor {
        name: name?,
        start: start?,
        end: end?,
        pattern: pattern?,
        fixups: fixups.unwrap_or_default(),
        expected,
    })
}
