//! The runner's end of the socket to the helper.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Refusal;
use super::wire::{self, Answer, Family, Kind, Packet, Request};
use crate::packet::MAX_FDS;

/// How long the helper may take to answer. It never blocks; setting up many links is the longest it does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The network of the virtual boards, as a place to make sockets in.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<Client>);

#[derive(Debug)]
struct Client {
    /// A seqpacket socket, which is like a datagram socket in all that is used here.
    socket: UnixDatagram,
    /// Number of the last request; holding the lock is the right to talk.
    last_id: Mutex<u64>,
}

impl Namespace {
    /// Takes over `socket`, which must be non-blocking. Must be called inside a runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self(Arc::new(Client { socket: UnixDatagram::from_std(socket.into())?, last_id: Mutex::new(0) })))
    }

    /// Ends the conversation for every clone; the helper ends in consequence.
    pub(super) fn shut_down(&self) {
        // An error means that the helper is gone already.
        let _ = self.0.socket.shutdown(Shutdown::Both);
    }

    /// Asks the helper and waits for its answer.
    ///
    /// # Errors
    /// `BrokenPipe` if the helper is gone, `TimedOut` after 30 s. A refusal is not an error of the conversation.
    pub(super) async fn request(
        &self,
        body: Request,
        fds: Vec<OwnedFd>,
    ) -> io::Result<(Answer, Vec<OwnedFd>)> {
        debug_assert!(fds.len() <= MAX_FDS);
        timeout(ANSWER_TIMEOUT, self.converse(body, fds)).await.unwrap_or_else(|_| {
            let text = format!("the virtual network's helper did not answer within {ANSWER_TIMEOUT:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        })
    }

    async fn converse(&self, body: Request, fds: Vec<OwnedFd>) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let socket = &self.0.socket;
        let mut last_id = self.0.last_id.lock().await;
        *last_id += 1;
        let request = Packet { id: *last_id, body };
        socket.async_io(Interest::WRITABLE, || wire::send(socket, &request, &fds)).await?;
        loop {
            let packet =
                socket.async_io(Interest::READABLE, || wire::receive::<Packet<Answer>>(socket)).await?;
            let Some((answer, fds)) = packet else {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the virtual network has ended"));
            };
            // Answers to requests whose callers gave up are dropped here.
            if answer.id == request.id {
                return Ok((answer.body, fds));
            }
        }
    }

    /// Binds a UDP socket to `address`.
    ///
    /// # Errors
    /// Those of the system's `socket` and `bind`; `BrokenPipe` if the network has ended.
    pub async fn bind_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.udp_socket(address).await?;
        rustix::net::bind(&socket, &address)?;
        UdpSocket::from_std(socket.into())
    }

    /// Makes a UDP socket for addresses of the family of `address`.
    ///
    /// # Errors
    /// Those of the system's `socket`; `BrokenPipe` if the network has ended.
    pub async fn udp_socket(&self, address: SocketAddr) -> io::Result<OwnedFd> {
        self.socket(address, Kind::Udp).await
    }

    /// Listens for TCP connections on `address`.
    ///
    /// # Errors
    /// Those of the system's `socket`, `bind` and `listen`; `BrokenPipe` if the network has ended.
    pub async fn listen_tcp(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = TcpSocket::from_std_stream(self.socket(address, Kind::Tcp).await?.into());
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    /// Connects to `address`; the caller bounds the wait.
    ///
    /// # Errors
    /// Those of the system's `socket` and `connect`; `BrokenPipe` if the network has ended.
    pub async fn connect_tcp(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::from_std_stream(self.socket(address, Kind::Tcp).await?.into());
        socket.connect(address).await
    }

    async fn socket(&self, address: SocketAddr, kind: Kind) -> io::Result<OwnedFd> {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        let (answer, mut fds) = self.request(Request::Socket { family, kind }, Vec::new()).await?;
        match (answer, fds.pop()) {
            (Answer::Socket, Some(socket)) => Ok(socket),
            (Answer::Refused(Refusal::Socket { errno }), _) => Err(io::Error::from_raw_os_error(errno)),
            (Answer::Refused(refusal), _) => Err(io::Error::other(refusal)),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "unexpected answer of the virtual network's helper",
            )),
        }
    }
}
