//! Which process has a port of this PC, by /proc.

use std::fmt;
use std::net::SocketAddr;

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process, all_processes};

use crate::ports::Protocol;

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SocketOwner {
    /// A process that this user can see into.
    Process { pid: i32, name: String },
    /// Somebody else's, by the number of the user.
    User(u32),
    /// Nobody is seen: the kernel itself, or a process that has ended meanwhile.
    Nobody,
}

impl fmt::Display for SocketOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name } => write!(f, "{name} (pid {pid})"),
            Self::User(uid) => write!(f, "a program of user {uid}"),
            Self::Nobody => f.write_str("no process that is seen: perhaps the kernel's own server"),
        }
    }
}

impl SocketOwner {
    /// Who has the port that binding `at` needs.
    pub(super) fn of(protocol: Protocol, at: SocketAddr) -> Self {
        let all = match protocol {
            Protocol::Udp => [procfs::net::udp(), procfs::net::udp6()]
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| (entry.local_address, entry.inode, entry.uid))
                .collect::<Vec<_>>(),
            Protocol::Tcp => [procfs::net::tcp(), procfs::net::tcp6()]
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.state == TcpState::Listen)
                .map(|entry| (entry.local_address, entry.inode, entry.uid))
                .collect(),
        };
        let in_the_way = |local: &SocketAddr| {
            local.port() == at.port() && (local.ip().is_unspecified() || local.ip().to_canonical() == at.ip())
        };
        let Some((_, inode, uid)) = all.into_iter().find(|(local, ..)| in_the_way(local)) else {
            return Self::Nobody;
        };
        match process_with(inode) {
            Some(owner) => owner,
            None if uid == rustix::process::geteuid().as_raw() || uid == 0 && inode == 0 => Self::Nobody,
            None => Self::User(uid),
        }
    }

    /// Its program's name, if that is known.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Process { name, .. } => Some(name),
            Self::User(_) | Self::Nobody => None,
        }
    }
}

/// The process that has the socket `inode` open.
fn process_with(inode: u64) -> Option<SocketOwner> {
    let has_it = |process: &Process| {
        let mut files = process.fd().into_iter().flatten().flatten();
        files.any(|file| matches!(file.target, FDTarget::Socket(socket) if socket == inode))
    };
    let process = all_processes().ok()?.flatten().find(has_it)?;
    let name = process.stat().map_or_else(|_| "a process".to_owned(), |stat| stat.comm);
    Some(SocketOwner::Process { pid: process.pid(), name })
}
