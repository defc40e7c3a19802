//! How many connections there may be, and which of them goes when there are too many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

/// Connections of one address. Linux uses one per mount.
const MAX_OF_ADDRESS: usize = 16;
/// Connections of all addresses.
const MAX_CONNECTIONS: usize = 1024;

/// A connection: whose it is, how to end it, and when it was used last.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: IpAddr,
    pub(super) stop: CancellationToken,
    began: Instant,
    /// Nanoseconds from `began` to the last call.
    last_call: AtomicU64,
}

impl Connection {
    /// A connection of `peer` that ends with `stop`, or by itself.
    pub(super) fn new(peer: IpAddr, stop: &CancellationToken) -> Self {
        Self { peer, stop: stop.child_token(), began: Instant::now(), last_call: AtomicU64::new(0) }
    }

    /// Notes that a call has come.
    pub(super) fn active(&self) {
        let since = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_call.store(since, Ordering::Relaxed);
    }

    fn last_active(&self) -> Instant {
        self.began + std::time::Duration::from_nanos(self.last_call.load(Ordering::Relaxed))
    }
}

/// All connections that there are.
#[derive(Debug, Default)]
pub(super) struct Connections {
    by_number: HashMap<u64, Arc<Connection>>,
    next: u64,
}

impl Connections {
    /// Adds a connection of `peer`, and stops the one that has been silent longest if that is one too many.
    pub(super) fn add(&mut self, peer: IpAddr, stop: &CancellationToken) -> (u64, Arc<Connection>) {
        let of_peer = self.by_number.values().filter(|connection| connection.peer == peer).count();
        if of_peer >= MAX_OF_ADDRESS {
            self.stop_longest_silent(|connection| connection.peer == peer);
        } else if self.by_number.len() >= MAX_CONNECTIONS {
            self.stop_longest_silent(|_| true);
        }
        let number = self.next;
        self.next += 1;
        let connection = Arc::new(Connection::new(peer, stop));
        self.by_number.insert(number, Arc::clone(&connection));
        (number, connection)
    }

    /// Forgets a connection that has ended.
    pub(super) fn remove(&mut self, number: u64) {
        self.by_number.remove(&number);
    }

    fn stop_longest_silent(&mut self, among: impl Fn(&Connection) -> bool) {
        let silent = self.by_number.iter().filter(|(_, connection)| among(connection));
        let longest = silent.min_by_key(|(_, connection)| connection.last_active());
        if let Some(number) = longest.map(|(number, _)| *number)
            && let Some(connection) = self.by_number.remove(&number)
        {
            connection.stop.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u32) -> IpAddr {
        Ipv4Addr::from(last).into()
    }

    #[test]
    fn one_more_takes_the_place_of_the_one_that_is_silent_longest() {
        let (mut connections, stop) = (Connections::default(), CancellationToken::new());
        let other = connections.add(address(2), &stop).1;
        let own: Vec<_> = (0..MAX_OF_ADDRESS).map(|_| connections.add(address(1), &stop).1).collect();
        own[0].active();
        connections.add(address(1), &stop);
        let stopped: Vec<bool> = own.iter().map(|connection| connection.stop.is_cancelled()).collect();
        assert_eq!(stopped.iter().filter(|stopped| **stopped).count(), 1);
        assert!(stopped[1] && !other.stop.is_cancelled() && !stop.is_cancelled());
    }

    #[test]
    fn all_addresses_together_are_bounded_too() {
        let (mut connections, stop) = (Connections::default(), CancellationToken::new());
        let first = connections.add(address(0), &stop).1;
        for index in 1..=MAX_CONNECTIONS as u32 {
            connections.add(address(index), &stop);
        }
        assert_eq!(connections.by_number.len(), MAX_CONNECTIONS);
        assert!(first.stop.is_cancelled());
    }

    #[test]
    fn what_has_ended_makes_room() {
        let (mut connections, stop) = (Connections::default(), CancellationToken::new());
        let (number, first) = connections.add(address(1), &stop);
        connections.remove(number);
        let rest: Vec<_> = (0..MAX_OF_ADDRESS).map(|_| connections.add(address(1), &stop).1).collect();
        assert!(!first.stop.is_cancelled() && rest.iter().all(|one| !one.stop.is_cancelled()));
    }
}
