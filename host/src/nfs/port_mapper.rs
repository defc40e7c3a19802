//! The port mapper on port 111, for boards that are not told the ports of NFS and MOUNT.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::server::serve_connections;
use super::service::Service;
use super::transport::Transport;

/// The port that belongs to it (RFC 1833 §1).
pub const PORT_MAPPER_PORT: u16 = 111;
/// The largest call on UDP, in bytes: its header with two credentials of 400 bytes, and four words.
const MAX_DATAGRAM: usize = 1024;

/// Tells on both sockets, until `stop`, that NFS and MOUNT are on TCP `port`. Serves nothing else there.
///
/// # Errors
/// Those of the UDP socket.
pub async fn serve_port_mapper(
    listener: TcpListener,
    socket: UdpSocket,
    port: u16,
    stop: CancellationToken,
) -> io::Result<()> {
    let service = Arc::new(Service::port_mapper(port));
    let (_, on_udp) = tokio::join!(
        serve_connections(listener, Arc::clone(&service), stop.clone()),
        serve_udp(&socket, &service, &stop)
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
