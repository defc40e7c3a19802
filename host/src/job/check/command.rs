//! `command` blocks: commands of the bench, by their names.

use crate::document::{Fields, Reader};
use crate::job::model::{BlockKind, Located};

/// Reads a `command` block.
pub(crate) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<BlockKind> {
    let node = fields.require(reader, "name")?;
    let value = reader.non_empty(node, "name")?;
    Some(BlockKind::Command(Located { value, span: node.span }))
}
