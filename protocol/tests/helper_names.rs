//! The table of the helpers in `docs/helpers.md` and the list of their names.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::helper::NAMES;

#[test]
fn the_table_has_every_helper_and_no_other() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/helpers.md");
    let table = std::fs::read_to_string(table).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let (listed, named): (Vec<_>, BTreeSet<_>) = (rows.collect(), NAMES.into_iter().collect());
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), named);
    assert_eq!(listed.len(), NAMES.len(), "each has one row");
}
