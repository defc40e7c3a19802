//! Sockets of the bench PC's network, from wherever they can be had.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use tokio::net::{TcpListener, UdpSocket};

use super::error::LowPortError;
use super::request::{Protocol, Request, make_socket};
use super::{client, inherited};

/// Connections that may wait to be accepted, as of sockets that the standard library makes.
const BACKLOG: i32 = 1024;

/// Where a socket is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was handed over at the start.
    Inherited,
    /// We have bound it.
    Own,
    /// The port service has bound it.
    Service,
}

/// A UDP socket that is bound to `address`, or to all addresses if such a one was handed over at the start.
///
/// # Errors
/// Those of the system's `bind`; with a [`LowPortError`] inside where that is not permitted.
pub(crate) async fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    match inherited::take_udp(address) {
        Some(socket) => udp(socket.into()),
        None => new_udp(address, false).await.map(|(socket, _)| socket),
    }
}

/// A UDP socket that is bound to `address` together with others that share it in the same way, in whatever process.
///
/// # Errors
/// As of [`bind_udp`]; the port is in use where somebody does not share it.
pub(crate) async fn share_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    new_udp(address, true).await.map(|(socket, _)| socket)
}

/// A TCP socket that listens at `address`, or at all addresses if such a one was handed over at the start.
///
/// # Errors
/// Those of the system's `bind` and `listen`; with a [`LowPortError`] inside where that is not permitted.
pub(crate) async fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match inherited::take_tcp(address) {
        Some(socket) => tcp(socket.into()),
        None => new_tcp(address).await.map(|(socket, _)| socket),
    }
}

/// Has a port for a moment, and tells where it would be from; what was handed over stays for whoever serves there.
///
/// # Errors
/// As of [`bind_udp`] and [`listen_tcp`].
pub(crate) async fn try_port(protocol: Protocol, address: SocketAddr) -> io::Result<Origin> {
    if inherited::has(protocol, address) {
        return Ok(Origin::Inherited);
    }
    match protocol {
        Protocol::Udp => new_udp(address, false).await.map(|(_, origin)| origin),
        Protocol::Tcp => new_tcp(address).await.map(|(_, origin)| origin),
    }
}

async fn new_udp(address: SocketAddr, shared: bool) -> io::Result<(UdpSocket, Origin)> {
    let (socket, origin) = bound(Request { protocol: Protocol::Udp, address, shared }).await?;
    Ok((udp(socket)?, origin))
}

async fn new_tcp(address: SocketAddr) -> io::Result<(TcpListener, Origin)> {
    let (socket, origin) = bound(Request { protocol: Protocol::Tcp, address, shared: false }).await?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((tcp(socket)?, origin))
}

/// What we bind ourselves, or the port service does.
async fn bound(request: Request) -> io::Result<(OwnedFd, Origin)> {
    match make_socket(&request) {
        Ok(socket) => Ok((socket, Origin::Own)),
        Err(errno) => ask_service(request, errno.into()).await.map(|socket| (socket, Origin::Service)),
    }
}

fn udp(socket: OwnedFd) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::from(socket);
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

fn tcp(socket: OwnedFd) -> io::Result<TcpListener> {
    let socket = std::net::TcpListener::from(socket);
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Asks the port service for what could not be bound because of `error`, if it has such ports.
async fn ask_service(request: Request, error: io::Error) -> io::Result<OwnedFd> {
    if error.kind() != io::ErrorKind::PermissionDenied || !request.is_served() {
        return Err(error);
    }
    // It waits for the service's start, for some seconds at most.
    let asked = tokio::task::spawn_blocking(move || client::ask(&request)).await.map_err(io::Error::other)?;
    match asked {
        Ok(socket) => Ok(socket),
        // As if we had tried it: somebody else has the port, or the address is not ours.
        Err(client::ServiceError::System { source }) if source.kind() != io::ErrorKind::PermissionDenied => {
            Err(source)
        }
        Err(service) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            LowPortError { bind: error, inherited: inherited::describe(), service },
        )),
    }
}
