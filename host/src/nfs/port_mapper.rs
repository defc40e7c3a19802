//! The port mapper on port 111, for boards that are not told the ports of NFS and MOUNT.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use nfs3_types::portmap::{IPPROTO_TCP, IPPROTO_UDP};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::server::serve_connections;
use super::service::Service;
use super::transport::Transport;

/// The port that belongs to it (RFC 1833 §1).
pub const PORT_MAPPER_PORT: u16 = 111;
/// The largest call on UDP, in bytes: its header with two credentials of 400 bytes, and a question of three
/// names.
const MAX_DATAGRAM: usize = 2048;

/// Tells on both sockets, until `stop`, that NFS and MOUNT are on TCP `port` of the same address. Serves nothing else there.
///
/// # Errors
/// Those of the UDP socket.
pub async fn serve_port_mapper(
    listener: TcpListener,
    socket: UdpSocket,
    port: u16,
    stop: CancellationToken,
) -> io::Result<()> {
    let at = SocketAddr::new(socket.local_addr()?.ip(), port);
    let (by_tcp, by_udp) = (Service::port_mapper(at, IPPROTO_TCP), Service::port_mapper(at, IPPROTO_UDP));
    let (_, on_udp) = tokio::join!(
        serve_connections(listener, Arc::new(by_tcp), stop.clone()),
        serve_udp(&socket, &by_udp, &stop)
    );
    on_udp
}

async fn serve_udp(socket: &UdpSocket, service: &Service, stop: &CancellationToken) -> io::Result<()> {
    let mut call = [0; MAX_DATAGRAM];
    loop {
        let (length, peer) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            received = socket.recv_from(&mut call) => match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            },
        };
        let call = call.get(..length).unwrap_or_default();
        if let Some(reply) = service.call(&Arc::new(Transport::new(peer.ip())), call) {
            // A reply that cannot be sent is like one that is lost: the client asks again.
            let _ = socket.send_to(&reply.bytes, peer).await;
        }
    }
}
