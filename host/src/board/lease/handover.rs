//! A lease that goes from one process to another without being free in between, with the open line of its board.
//!
//! What goes are descriptors, by `SCM_RIGHTS` of unix(7): the sockets that are the lease stay bound, and a serial port stays
//! open, so that nothing of what the board says meanwhile is lost and its modem lines keep their state.

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixListener;

use super::{Holder, Key, Lease, LeaseError};

/// Most descriptors that a board's lease has: itself, its console, further consoles, and its line.
pub(crate) const MAX_DESCRIPTORS: usize = 32;

/// A board's lease on its way to another process. Dropping it gives the lease back and closes the line.
#[derive(Debug)]
pub struct Handover {
    listeners: Vec<UnixListener>,
    line: Option<OwnedFd>,
}

impl Handover {
    /// The descriptors to send; the first one is the line, if that is said.
    pub fn into_descriptors(self) -> (bool, Vec<OwnedFd>) {
        let has_line = self.line.is_some();
        let listeners = self.listeners.into_iter().map(OwnedFd::from);
        (has_line, self.line.into_iter().chain(listeners).collect())
    }

    /// What has come as `descriptors`.
    pub fn from_descriptors(has_line: bool, descriptors: Vec<OwnedFd>) -> Self {
        let mut descriptors = descriptors.into_iter();
        let line = if has_line { descriptors.next() } else { None };
        Self { line, listeners: descriptors.map(UnixListener::from).collect() }
    }

    /// The open line of the board, which can be taken once.
    pub fn take_line(&mut self) -> Option<OwnedFd> {
        self.line.take()
    }
}

impl Lease {
    /// Takes all of `keys`, or none, with those that `given` has among them; sockets that are none of `keys` are closed.
    ///
    /// # Errors
    /// As of [`Lease::acquire`].
    pub fn acquire_given(keys: &[Key], given: Vec<Handover>, holder: &Holder) -> Result<Self, LeaseError> {
        let mut listeners: Vec<UnixListener> =
            given.into_iter().flat_map(|handover| handover.listeners).collect();
        // Who sends is trusted with the board, and still not to send what it says: the name is the socket's own.
        listeners.retain(|listener| keys.iter().any(|key| key.is_at(listener)));
        Self::with(keys, listeners, holder)
    }

    /// Parts with all of it: a handover for each of `boards`, by what a board is leased by and its open line.
    pub fn give_each(self, boards: Vec<(Vec<Key>, Option<OwnedFd>)>) -> Vec<Handover> {
        let mut left = self.into_listeners();
        let take = |(keys, line): (Vec<Key>, Option<OwnedFd>)| {
            let (listeners, others) =
                left.drain(..).partition(|listener| keys.iter().any(|key| key.is_at(listener)));
            left = others;
            Handover { listeners, line }
        };
        boards.into_iter().map(take).collect()
    }
}

impl Key {
    /// Whether `listener` is what a lease on it is made of.
    pub(super) fn is_at(&self, listener: &UnixListener) -> bool {
        let address = listener.local_addr();
        address.is_ok_and(|address| address.as_abstract_name() == Some(self.name.as_bytes()))
    }

    /// Makes `listener`, which another process has bound, this one's to whoever asks.
    pub(super) fn adopt(listener: &UnixListener) -> io::Result<()> {
        // Credentials of a listening socket are those of whoever called listen(2) last (unix(7), SO_PEERCRED).
        rustix::net::listen(listener, BACKLOG)?;
        listener.set_nonblocking(true)
    }
}

/// Connections that wait to be answered; as many as the standard library lets wait.
const BACKLOG: i32 = 128;
