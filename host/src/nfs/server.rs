//! The server on TCP: who may connect, and how it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connections::{Connection, Connections};
use super::exports::Exports;
use super::service::Service;
use super::stream;

/// How long the rest of a message may take once it has begun, and how long a reply may take to go out.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause after a connection could not be accepted, as when the process has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves NFS, MOUNT and the port mapper on `listener` until `stop`, then ends all connections and returns.
///
/// A connection on which anything but calls arrives, or whose peer stalls within a message or does not take its replies
/// for 60 s, is closed. An address has 16 connections, and all together 1024: one more takes the place of the one that
/// has been silent longest, which may be that of a board whose power was cut.
pub async fn serve(listener: TcpListener, exports: Arc<Exports>, stop: CancellationToken) {
    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let at = listener.local_addr().unwrap_or(unknown);
    serve_connections(listener, Arc::new(Service::new(exports, at)), stop).await;
}

/// Tells that the connection of this number has ended, when it is dropped.
#[derive(Debug)]
struct Ended {
    number: u64,
    endings: mpsc::UnboundedSender<u64>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody listens any more once the server has ended.
        let _ = self.endings.send(self.number);
    }
}

/// Serves what `service` has on `listener` until `stop`, then ends all connections and returns.
pub(super) async fn serve_connections(listener: TcpListener, service: Arc<Service>, stop: CancellationToken) {
    let (endings, mut ended) = mpsc::unbounded_channel();
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(number) = ended.recv() => connections.remove(number),
            accepted = listener.accept() => {
                let begun = accepted.and_then(|(stream, from)| {
                    let connection = Connection::new(from.ip().to_canonical(), blocking(stream)?);
                    let (number, connection) = connections.add(connection);
                    let ended = Ended { number, endings: endings.clone() };
                    stream::serve(connection, Arc::clone(&service), PATIENCE, ended)
                });
                if begun.is_err() {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    connections.end_all();
    drop(endings);
    while ended.recv().await.is_some() {}
}

/// The socket of `stream`, for threads that wait.
fn blocking(stream: TcpStream) -> std::io::Result<OwnedFd> {
    // Without it a reply may wait for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream.into())
}
