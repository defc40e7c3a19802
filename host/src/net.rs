//! Where sockets are made: in the runner's own network, or in the network of the virtual boards.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::board::virtual_network::Namespace;
use crate::ports::{self, Protocol};

/// A network in which sockets can be made.
#[derive(Clone, Debug)]
pub enum Net {
    /// The network of the bench PC.
    Host,
    /// The network of the virtual boards.
    Namespace(Namespace),
}

impl Net {
    /// Binds a UDP socket to `address`. In the bench PC's network it may be one that was handed over at the start, and then
    /// of all addresses, or of the port service (`ports`).
    ///
    /// # Errors
    /// Those of the system's `bind`; where that is not permitted, with all that was tried.
    pub async fn bind_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        match self {
            Self::Host => ports::bind_udp(address).await,
            Self::Namespace(namespace) => namespace.bind_udp(address).await,
        }
    }

    /// Binds a UDP socket to a port of this PC that other processes share in the same way. It receives what `peer` sends,
    /// from whatever port; without one, what is not for the socket of any other.
    ///
    /// Of sockets that share a port, Linux gives a datagram to the one that is connected to its sender; a port of 0 stands for
    /// any (`compute_score` in net/ipv4/udp.c and net/ipv6/udp.c).
    ///
    /// # Errors
    /// Those of the system's `socket`, `bind` and `connect`: the port is in use where somebody does not share it.
    pub async fn share_udp(&self, address: SocketAddr, peer: Option<IpAddr>) -> io::Result<UdpSocket> {
        let socket = match self {
            Self::Host => ports::share_udp(address).await?,
            Self::Namespace(namespace) => namespace.bind_udp(address).await?,
        };
        if let Some(peer) = peer {
            net::connect(&socket, &SocketAddr::new(peer, 0))?;
        }
        Ok(socket)
    }

    /// Whether [`Self::share_udp`] can be asked for several sockets of `address`: not in the virtual boards' network, which
    /// has one run, and not where one socket was handed over at the start.
    pub fn can_share(&self, address: SocketAddr) -> bool {
        matches!(self, Self::Host) && !ports::is_inherited(Protocol::Udp, address)
    }

    /// Makes a second UDP socket on the port of `first`, blocking and connected to `peer`: it receives what `peer` sends,
    /// and `first` what anybody else sends.
    ///
    /// # Errors
    /// Those of the system's `socket`, `bind` and `connect`.
    pub async fn connect_udp_beside(
        &self,
        first: &UdpSocket,
        peer: SocketAddr,
    ) -> io::Result<std::net::UdpSocket> {
        let local = first.local_addr()?;
        let socket = match self {
            Self::Host => {
                let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
                net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?
            }
            Self::Namespace(namespace) => namespace.udp_socket(local).await?,
        };
        // Set after the first has its port, so that the system gives that port to nobody else.
        net::sockopt::set_socket_reuseaddr(first, true)?;
        net::sockopt::set_socket_reuseaddr(&socket, true)?;
        net::bind(&socket, &local)?;
        let socket = std::net::UdpSocket::from(socket);
        socket.connect(peer)?;
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Listens for TCP connections on `address`, with a socket from where those of [`Self::bind_udp`] are.
    ///
    /// # Errors
    /// Those of the system's `bind` and `listen`; where that is not permitted, with all that was tried.
    pub async fn listen_tcp(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self {
            Self::Host => ports::listen_tcp(address).await,
            Self::Namespace(namespace) => namespace.listen_tcp(address).await,
        }
    }

    /// Connects to `address`; the caller bounds the wait.
    ///
    /// # Errors
    /// Those of the system's `connect`.
    pub async fn connect_tcp(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Self::Host => TcpStream::connect(address).await,
            Self::Namespace(namespace) => namespace.connect_tcp(address).await,
        }
    }
}
