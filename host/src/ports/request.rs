//! What is asked of the port service, and what it answers: one packet each.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use serde::{Deserialize, Serialize};

use crate::nfs::PORT_MAPPER_PORT;
use crate::run::{NFS_PORT, NTP_PORT, TFTP_PORT};

/// Most bytes of a request or an answer; the longest address has less than a hundred.
pub(super) const MAX_PACKET: usize = 512;

/// All that the service binds, and nothing else.
const SERVED: [(Protocol, u16); 5] = [
    (Protocol::Udp, TFTP_PORT),
    (Protocol::Udp, NTP_PORT),
    (Protocol::Udp, PORT_MAPPER_PORT),
    (Protocol::Tcp, PORT_MAPPER_PORT),
    (Protocol::Tcp, NFS_PORT),
];

/// What a port is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// A socket that is bound to `address`, please.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
    /// Whether others may bind the same, who say the same: runs that serve a board each.
    #[serde(default)]
    pub(super) shared: bool,
}

impl Request {
    /// Whether the service is there for such ports.
    pub(super) fn is_served(&self) -> bool {
        SERVED.contains(&(self.protocol, self.address.port()))
    }

    /// Whether it is one that is to be met.
    ///
    /// A wildcard address is refused: it would take the port away from all other runs, and from the PC's own servers.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !self.is_served() {
            return Err(Refusal::Port { protocol: self.protocol, port: self.address.port() });
        }
        // Also as `::ffff:0.0.0.0`.
        if self.address.ip().to_canonical().is_unspecified() {
            return Err(Refusal::Wildcard);
        }
        Ok(())
    }
}

/// Binds what is asked for.
///
/// # Errors
/// Those of the system's `socket` and `bind`.
pub(super) fn make_socket(request: &Request) -> rustix::io::Result<OwnedFd> {
    let family = if request.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = match request.protocol {
        Protocol::Udp => SocketType::DGRAM,
        Protocol::Tcp => SocketType::STREAM,
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    // Connections of the run before may still be in TIME_WAIT.
    if request.shared || request.protocol == Protocol::Tcp {
        set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &request.address)?;
    Ok(socket)
}

/// The service's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The socket is the packet's descriptor: bound, and not listening yet.
    Socket,
    /// There is none.
    Refused(Refusal),
}

/// Why there is no socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum Refusal {
    /// The system refused.
    #[error("{}", io::Error::from_raw_os_error(*.errno))]
    System {
        /// The system's error number.
        errno: i32,
    },
    /// It is none of the ports that boards ask at.
    #[error("it does not give away {protocol} {port}")]
    Port {
        /// Which protocol.
        protocol: Protocol,
        /// Which port.
        port: u16,
    },
    /// The address is that of no card in particular.
    #[error("it binds ports of one address only, not of all")]
    Wildcard,
    /// The packet was no request.
    #[error("it did not understand the request: {reason}; is it of the same version as this program?")]
    Malformed {
        /// What was wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: Protocol, address: &str) -> Result<(), Refusal> {
        Request { protocol, address: address.parse().unwrap(), shared: false }.check()
    }

    #[test]
    fn only_the_ports_that_boards_ask_at_are_given_away() {
        for port in [69, 111, 123] {
            assert_eq!(check(Protocol::Udp, &format!("192.168.7.1:{port}")), Ok(()));
        }
        for port in [111, 2049] {
            assert_eq!(check(Protocol::Tcp, &format!("[fe80::1]:{port}")), Ok(()));
        }
        for (protocol, port) in
            [(Protocol::Tcp, 69), (Protocol::Udp, 2049), (Protocol::Tcp, 22), (Protocol::Udp, 53)]
        {
            let refused = check(protocol, &format!("192.168.7.1:{port}"));
            assert_eq!(refused, Err(Refusal::Port { protocol, port }));
        }
    }

    #[test]
    fn a_port_of_all_addresses_is_not_given_away() {
        assert_eq!(check(Protocol::Udp, "0.0.0.0:69"), Err(Refusal::Wildcard));
        assert_eq!(check(Protocol::Tcp, "[::]:111"), Err(Refusal::Wildcard));
        assert_eq!(check(Protocol::Udp, "[::ffff:0.0.0.0]:69"), Err(Refusal::Wildcard));
    }

    #[test]
    fn the_longest_packets_fit() {
        let address = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%4294967295]:65535".parse().unwrap();
        let request =
            serde_json::to_vec(&Request { protocol: Protocol::Udp, address, shared: true }).unwrap();
        let malformed = Refusal::Malformed { reason: "x".repeat(super::super::service::MAX_REASON) };
        let answer = serde_json::to_vec(&Answer::Refused(malformed)).unwrap();
        assert!(request.len() < MAX_PACKET && answer.len() < MAX_PACKET);
    }
}
