//! How many connections there may be, and which of them goes when there are too many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::transport::Transport;

/// Connections of one address. Linux uses one per mount.
const MAX_OF_ADDRESS: usize = 16;
/// Connections of all addresses.
const MAX_CONNECTIONS: usize = 1024;

/// A connection: whose it is, its socket, and when it was used last.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Arc<Transport>,
    pub(super) socket: OwnedFd,
    began: Instant,
    /// Nanoseconds from `began` to the last call.
    last_call: AtomicU64,
}

impl Connection {
    /// A connection of `peer` on `socket`.
    pub(super) fn new(peer: IpAddr, socket: OwnedFd) -> Self {
        Self {
            transport: Arc::new(Transport::new(peer)),
            socket,
            began: Instant::now(),
            last_call: AtomicU64::new(0),
        }
    }

    /// Notes that a call has come.
    pub(super) fn active(&self) {
        let since = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_call.store(since, Ordering::Relaxed);
    }

    /// Ends it, whoever waits for its socket.
    pub(super) fn end(&self) {
        // One that has ended already is as good.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
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
    /// Adds a connection, and ends the one that has been silent longest if that is one too many.
    pub(super) fn add(&mut self, connection: Connection) -> (u64, Arc<Connection>) {
        let peer = connection.transport.peer;
        let of_peer = self.by_number.values().filter(|connection| connection.transport.peer == peer).count();
        if of_peer >= MAX_OF_ADDRESS {
            self.end_longest_silent(|connection| connection.transport.peer == peer);
        } else if self.by_number.len() >= MAX_CONNECTIONS {
            self.end_longest_silent(|_| true);
        }
        let number = self.next;
        self.next += 1;
        let connection = Arc::new(connection);
        self.by_number.insert(number, Arc::clone(&connection));
        (number, connection)
    }

    /// Forgets a connection that has ended.
    pub(super) fn remove(&mut self, number: u64) {
        self.by_number.remove(&number);
    }

    /// Ends all.
    pub(super) fn end_all(&self) {
        self.by_number.values().for_each(|connection| connection.end());
    }

    fn end_longest_silent(&mut self, among: impl Fn(&Connection) -> bool) {
        let silent = self.by_number.iter().filter(|(_, connection)| among(connection));
        let longest = silent.min_by_key(|(_, connection)| connection.last_active());
        if let Some(number) = longest.map(|(number, _)| *number)
            && let Some(connection) = self.by_number.remove(&number)
        {
            connection.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::Ipv4Addr;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn connection(last: u32) -> (Connection, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Connection::new(Ipv4Addr::from(last).into(), near.into()), far)
    }

    /// Whether the server has ended the connection whose other end is `far`.
    fn has_ended(far: &UnixStream) -> bool {
        far.set_nonblocking(true).unwrap();
        (&*far).read(&mut [0]).is_ok_and(|count| count == 0)
    }

    #[test]
    fn one_more_takes_the_place_of_the_one_that_is_silent_longest() {
        let mut connections = Connections::default();
        let mut add = |last| {
            let (near, far) = connection(last);
            (connections.add(near).1, far)
        };
        let other = add(2);
        let own: Vec<_> = (0..MAX_OF_ADDRESS).map(|_| add(1)).collect();
        own[0].0.active();
        add(1);
        let ended: Vec<bool> = own.iter().map(|(_, far)| has_ended(far)).collect();
        assert_eq!(ended.iter().filter(|ended| **ended).count(), 1);
        assert!(ended[1] && !has_ended(&other.1));
    }

    #[test]
    fn all_addresses_together_are_bounded_too() {
        let mut connections = Connections::default();
        let (near, first) = connection(0);
        connections.add(near);
        for index in 1..=MAX_CONNECTIONS as u32 {
            connections.add(connection(index).0);
        }
        assert_eq!(connections.by_number.len(), MAX_CONNECTIONS);
        assert!(has_ended(&first));
    }

    #[test]
    fn what_has_ended_makes_room() {
        let mut connections = Connections::default();
        let (near, first) = connection(1);
        let (number, _kept) = connections.add(near);
        connections.remove(number);
        let mut add = || {
            let (near, far) = connection(1);
            connections.add(near);
            far
        };
        let rest: Vec<_> = (0..MAX_OF_ADDRESS).map(|_| add()).collect();
        assert!(!has_ended(&first) && rest.iter().all(|far| !has_ended(far)));
    }
}
