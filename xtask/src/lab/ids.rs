//! The user and group ids that an ordinary user makes a root file system with (subuid(5), subgid(5)).

use std::fs;
use std::process::Command;

use crate::apt;
use crate::error::Error;
use crate::process;

/// How many ids a root file system has.
const NEEDED: u32 = 65_536;

/// Where useradd begins to give ranges away.
const FIRST: u32 = 100_000;

/// Makes sure that mmdebstrap can own files by other ids: as root it can, others need a range of their own.
///
/// # Errors
/// When there is none; the error says by what command there is.
pub(super) fn check() -> Result<(), Error> {
    if apt::is_root() {
        return Ok(());
    }
    let user = process::answer(Command::new("id").arg("-un"))?;
    let id = process::answer(Command::new("id").arg("-u"))?;
    let names = [user.trim(), id.trim()];
    // A file that is not there gives nobody anything.
    let tables = ["/etc/subuid", "/etc/subgid"].map(|file| fs::read_to_string(file).unwrap_or_default());
    if tables.iter().all(|table| has_range(table, names)) {
        return Ok(());
    }
    let first = tables.iter().map(|table| first_free(table)).max().unwrap_or(FIRST);
    let range = format!("{first}-{}", first.saturating_add(NEEDED - 1));
    Err(Error::NoIds { user: user.trim().to_owned(), range })
}

/// The ranges of a table: name or id of the user, first id, number of ids.
fn ranges(table: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    table.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, ':');
        Some((fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

fn has_range(table: &str, names: [&str; 2]) -> bool {
    ranges(table).any(|(owner, _, count)| names.contains(&owner) && count >= NEEDED)
}

fn first_free(table: &str) -> u32 {
    ranges(table).map(|(_, first, count)| first.saturating_add(count)).max().unwrap_or(FIRST).max(FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "alice:100000:65536\n# comment\nbob:165536:1000\n1003:200000:65536\n";

    #[test]
    fn a_range_counts_if_it_is_the_users_and_large_enough() {
        assert!(has_range(TABLE, ["alice", "1001"]));
        assert!(has_range(TABLE, ["carol", "1003"]));
        assert!(!has_range(TABLE, ["bob", "1002"]));
        assert!(!has_range("", ["alice", "1001"]));
    }

    #[test]
    fn the_proposed_range_is_nobodys() {
        assert_eq!(first_free(TABLE), 265_536);
        assert_eq!(first_free(""), FIRST);
    }
}
