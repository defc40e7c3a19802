//! Sockets that systemd, or whoever speaks its protocol, has handed over at the start (sd_listen_fds(3)).
//!
//! ```text
//! systemd-socket-activate --datagram --listen 192.168.7.1:69 host-runner run job.yaml
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::request::Protocol;

/// The variables of the protocol; both are needed, so that a program that was not meant takes nothing.
const VARIABLES: [&str; 2] = ["LISTEN_PID", "LISTEN_FDS"];

/// What is left of the sockets: each is taken once.
static INHERITED: Mutex<Inherited> =
    Mutex::new(Inherited { udp: Vec::new(), tcp: Vec::new(), service: Vec::new() });

struct Inherited {
    udp: Vec<UdpSocket>,
    /// Those that listen.
    tcp: Vec<TcpListener>,
    /// Unix sockets for packets.
    service: Vec<OwnedFd>,
}

fn inherited() -> MutexGuard<'static, Inherited> {
    // Nothing panics while it is locked.
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over what was handed to this process, so that no program that it starts gets it. Must be called before there are
/// threads: it changes the environment.
pub(crate) fn take_over() {
    if VARIABLES.iter().any(|name| std::env::var_os(name).is_none()) {
        return;
    }
    let mut handed = ListenFd::from_env();
    let mut inherited = inherited();
    for index in 0..handed.len() {
        // Of another kind: then one of the next takes it, or nobody, as nothing here can use it.
        if let Ok(Some(socket)) = handed.take_udp_socket(index) {
            inherited.udp.push(socket);
        } else if let Ok(Some(socket)) = handed.take_tcp_listener(index) {
            if socket_acceptconn(&socket).unwrap_or(false) {
                inherited.tcp.push(socket);
            }
        } else if let Ok(Some(socket)) =
            handed.take_custom(index, libc::AF_UNIX, libc::SOCK_SEQPACKET, "Unix socket for packets")
        {
            inherited.service.push(socket);
        }
    }
}

/// The Unix socket that the port service listens at.
pub(crate) fn take_service_socket() -> Option<OwnedFd> {
    let socket = inherited().service.pop()?;
    socket_acceptconn(socket.as_fd()).unwrap_or(false).then_some(socket)
}

/// The UDP socket for `address`, if one was handed over.
pub(super) fn take_udp(address: SocketAddr) -> Option<UdpSocket> {
    let mut inherited = inherited();
    let index = find(inherited.udp.iter().map(|socket| socket.local_addr().ok()), address)?;
    Some(inherited.udp.swap_remove(index))
}

/// The TCP socket for `address`, if one was handed over.
pub(super) fn take_tcp(address: SocketAddr) -> Option<TcpListener> {
    let mut inherited = inherited();
    let index = find(inherited.tcp.iter().map(|socket| socket.local_addr().ok()), address)?;
    Some(inherited.tcp.swap_remove(index))
}

/// Whether a socket for `address` was handed over.
pub(crate) fn has(protocol: Protocol, address: SocketAddr) -> bool {
    find(addresses(&inherited(), protocol).into_iter().map(Some), address).is_some()
}

/// What is left, in words.
pub(super) fn describe() -> Vec<String> {
    let inherited = inherited();
    [Protocol::Udp, Protocol::Tcp]
        .into_iter()
        .flat_map(|protocol| {
            addresses(&inherited, protocol).into_iter().map(move |at| format!("{protocol} {at}"))
        })
        .collect()
}

fn addresses(inherited: &Inherited, protocol: Protocol) -> Vec<SocketAddr> {
    match protocol {
        Protocol::Udp => inherited.udp.iter().filter_map(|socket| socket.local_addr().ok()).collect(),
        Protocol::Tcp => inherited.tcp.iter().filter_map(|socket| socket.local_addr().ok()).collect(),
    }
}

/// The index of the socket for `wanted`: one of that address, else one of all addresses of its family. A socket of IPv6 is for
/// no board with IPv4: it would know that by another address than everybody else does.
fn find(sockets: impl Iterator<Item = Option<SocketAddr>> + Clone, wanted: SocketAddr) -> Option<usize> {
    let any: IpAddr = match wanted.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let position = |ip: IpAddr| {
        sockets
            .clone()
            .position(|local| local.is_some_and(|local| (local.ip(), local.port()) == (ip, wanted.port())))
    };
    position(wanted.ip()).or_else(|| position(any))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sockets: &[&str], wanted: &str) -> Option<usize> {
        let sockets: Vec<SocketAddr> = sockets.iter().map(|socket| socket.parse().unwrap()).collect();
        find(sockets.iter().copied().map(Some), wanted.parse().unwrap())
    }

    #[test]
    fn a_socket_of_the_address_is_taken_before_one_of_all_addresses() {
        let sockets = ["0.0.0.0:69", "192.168.7.1:69", "192.168.8.1:69"];
        assert_eq!(found(&sockets, "192.168.7.1:69"), Some(1));
        assert_eq!(found(&sockets, "192.168.9.1:69"), Some(0));
        assert_eq!(found(&sockets, "192.168.7.1:123"), None);
        assert_eq!(found(&sockets[1..], "192.168.9.1:69"), None);
    }

    #[test]
    fn a_socket_of_all_addresses_is_for_those_of_its_family() {
        assert_eq!(found(&["[::]:69"], "[fe80::1]:69"), Some(0));
        assert_eq!(found(&["[::]:69"], "192.168.7.1:69"), None);
        assert_eq!(found(&["0.0.0.0:69"], "[fe80::1]:69"), None);
    }
}
