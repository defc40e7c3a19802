//! Who may read what: virtual files by peer and name. Nothing else can be reached by a request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::source::Source;

/// The files that are served. Shared by the server and by the jobs that add to it.
#[derive(Debug, Default)]
pub struct Table {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    files: HashMap<(IpAddr, String), Entry>,
    next_id: u64,
    /// Requests of those to whom anything was ever served.
    requests: HashMap<IpAddr, u64>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    source: Source,
}

impl Table {
    /// Makes an empty table.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Serves `source` to `peer` as `name` until the guard is dropped; a file of the same name is hidden by it.
    ///
    /// Slashes at the start of `name`, here and in requests, have no meaning. A transfer that is running when
    /// the guard is dropped goes on to its end.
    pub fn add(self: &Arc<Self>, peer: IpAddr, name: &str, source: Source) -> Guard {
        let key = key(peer, name);
        let mut entries = self.lock();
        let id = entries.next_id;
        entries.next_id += 1;
        entries.requests.entry(key.0).or_default();
        entries.files.insert(key.clone(), Entry { id, source });
        Guard { table: Arc::clone(self), key, id }
    }

    /// Returns whether anything is served to `peer`.
    pub(super) fn serves(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.lock().files.keys().any(|(served, _)| *served == peer)
    }

    /// How many requests of `peer` have come, whatever became of them.
    pub fn requests_of(&self, peer: IpAddr) -> u64 {
        self.lock().requests.get(&peer.to_canonical()).copied().unwrap_or_default()
    }

    /// Finds what `peer` asks for as `name`.
    pub(super) fn find(&self, peer: IpAddr, name: &str) -> Option<Source> {
        let mut entries = self.lock();
        let key = key(peer, name);
        if let Some(requests) = entries.requests.get_mut(&key.0) {
            *requests += 1;
        }
        entries.files.get(&key).map(|entry| entry.source.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a file in the table; dropping it takes the file out.
#[derive(Debug)]
#[must_use = "the file is served only as long as the guard lives"]
pub struct Guard {
    table: Arc<Table>,
    key: (IpAddr, String),
    id: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut entries = self.table.lock();
        if entries.files.get(&self.key).is_some_and(|entry| entry.id == self.id) {
            entries.files.remove(&self.key);
        }
    }
}

fn key(peer: IpAddr, name: &str) -> (IpAddr, String) {
    (peer.to_canonical(), name.trim_start_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::{Source, Table};

    const BOARD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));

    fn bytes(text: &str) -> Source {
        Source::Bytes(Arc::from(text.as_bytes()))
    }

    fn found(table: &Table, peer: IpAddr, name: &str) -> Option<Vec<u8>> {
        table.find(peer, name).map(|source| match source {
            Source::Bytes(bytes) => bytes.to_vec(),
            Source::File(path) => panic!("{path:?}"),
        })
    }

    #[test]
    fn a_file_is_served_only_to_its_peer_and_only_under_its_name() {
        let table = Table::new();
        let _guard = table.add(BOARD, "7/zImage", bytes("kernel"));
        assert_eq!(found(&table, BOARD, "7/zImage"), Some(b"kernel".to_vec()));
        assert_eq!(found(&table, OTHER, "7/zImage"), None);
        assert_eq!(found(&table, BOARD, "7/../7/zImage"), None);
        assert_eq!(found(&table, BOARD, ""), None);
    }

    #[test]
    fn leading_slashes_have_no_meaning() {
        let table = Table::new();
        let _guard = table.add(BOARD, "/zImage", bytes("kernel"));
        assert!(found(&table, BOARD, "zImage").is_some());
        assert!(found(&table, BOARD, "//zImage").is_some());
    }

    #[test]
    fn an_ipv4_address_inside_ipv6_is_the_same_peer() {
        let table = Table::new();
        let _guard = table.add(BOARD, "f", bytes("x"));
        assert!(found(&table, IpAddr::V6(Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped()), "f").is_some());
    }

    #[test]
    fn a_dropped_guard_takes_out_its_own_file_only() {
        let table = Table::new();
        let first = table.add(BOARD, "f", bytes("first"));
        let second = table.add(BOARD, "f", bytes("second"));
        drop(first);
        assert_eq!(found(&table, BOARD, "f"), Some(b"second".to_vec()));
        assert!(table.serves(BOARD) && !table.serves(OTHER));
        drop(second);
        assert!(!table.serves(BOARD));
    }
}
