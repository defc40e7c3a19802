//! Loopback addresses that no other test uses at the same time.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Networks `127.x.y.0/24` that benches choose from: x from 100 to 199.
const NETWORKS: u32 = 100 << 8;

/// A network `127.x.y.0/24` of its own, until dropped.
#[derive(Debug)]
pub struct Addresses {
    /// The bench PC's address: TFTP, NFS and SNTP.
    pub server: Ipv4Addr,
    /// The board's address.
    pub board: Ipv4Addr,
    _claim: UnixListener,
}

impl Addresses {
    /// Claims a network that no other test has, in whatever process.
    ///
    /// # Panics
    /// When none is free, or when TFTP's port cannot be bound: the runner serves on no other.
    pub fn claim() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..NETWORKS {
            // Multiplied, so that neighbouring processes do not begin next to each other.
            let start = std::process::id().wrapping_mul(61);
            let index = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % NETWORKS;
            if let Some(addresses) = Self::claim_network(index) {
                return addresses;
            }
        }
        panic!("all {NETWORKS} loopback networks are in use");
    }

    fn claim_network(index: u32) -> Option<Self> {
        let [.., x, y] = index.to_be_bytes();
        let network = |host| Ipv4Addr::new(127, 100 + x, y, host);
        // An abstract name goes with the process that has it.
        let name = SocketAddr::from_abstract_name(format!("host-runner-tests {}", network(0)))
            .expect("the name is short");
        let claim = UnixListener::bind_addr(&name).ok()?;
        let server = network(1);
        match UdpSocket::bind((server, 69)) {
            Ok(_) => Some(Self { server, board: network(2), _claim: claim }),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => None,
            Err(error) => panic!(
                "TFTP's port 69 of {server} cannot be bound ({error}): these tests need root, CAP_NET_BIND_SERVICE, \
                 or `sysctl net.ipv4.ip_unprivileged_port_start=69`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_benches_never_have_the_same_addresses() {
        let (first, second) = (Addresses::claim(), Addresses::claim());
        assert_ne!(first.server, second.server);
        assert_ne!(first.server, first.board);
        let [_, x, y, _] = first.server.octets();
        let index = u32::from_be_bytes([0, 0, x - 100, y]);
        assert!(Addresses::claim_network(index).is_none());
        drop(first);
        assert!(Addresses::claim_network(index).is_some());
    }
}
