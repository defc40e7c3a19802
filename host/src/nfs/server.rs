//! The server on TCP: connections, and how many calls at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::{Connection, Connections};
use super::exports::Exports;
use super::record::{self, RecordError};
use super::service::Service;

/// Calls of one connection that are being carried out or whose replies are not yet sent; then it is not read from.
const MAX_CALLS: usize = 16;
/// Read ahead on a connection, in bytes.
const READ_BUFFER: usize = 64 << 10;
/// Replies that are sent together while more calls are there already, in bytes.
const MAX_BATCH: usize = 64 << 10;
/// Pause after a connection could not be accepted, as when the process has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves NFS, MOUNT and the port mapper on `listener` until `stop`, then ends all connections and returns.
///
/// Calls on file data run in parallel on blocking threads, all others in the order of their arrival. A connection on
/// which anything but calls arrives, or whose peer stalls within a message or does not take its replies for 60 s, is
/// closed. An address has 16 connections, and all together 1024: one more takes the place of the one that has been
/// silent longest, which may be that of a board whose power was cut.
pub async fn serve(listener: TcpListener, exports: Arc<Exports>, stop: CancellationToken) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    serve_connections(listener, Arc::new(Service::new(exports, port)), stop).await;
}

/// Serves what `service` has on `listener` until `stop`, then ends all connections and returns.
pub(super) async fn serve_connections(listener: TcpListener, service: Arc<Service>, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next() => {
                if let Ok(number) = ended {
                    connections.remove(number);
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let peer = from.ip().to_canonical();
                    let (number, connection) = connections.add(peer, &stop);
                    let service = Arc::clone(&service);
                    tasks.spawn(async move {
                        serve_tcp(stream, &connection, service).await;
                        number
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn serve_tcp(stream: TcpStream, connection: &Connection, service: Arc<Service>) {
    // Without it a reply may wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    serve_stream(reader, writer, connection, service).await;
}

/// Answers the calls on one stream until it ends or the connection is stopped.
pub(super) async fn serve_stream<R, W>(reader: R, writer: W, connection: &Connection, service: Arc<Service>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (peer, stop) = (connection.peer, &connection.stop);
    let tasks = TaskTracker::new();
    let writer = Arc::new(Mutex::new(writer));
    let (replies, queue) = mpsc::channel(MAX_CALLS);
    tasks.spawn(send_replies(Arc::clone(&writer), queue, stop.clone()));
    let mut reader = BufReader::with_capacity(READ_BUFFER, reader);
    let mut batch = Vec::new();
    loop {
        if !batch.is_empty() && (batch.len() >= MAX_BATCH || !record::is_whole(reader.buffer())) {
            // Nothing more can be answered without waiting.
            let sent = tokio::select! {
                () = stop.cancelled() => break,
                sent = send_batch(&writer, &batch) => sent,
            };
            if sent.is_err() {
                break;
            }
            batch.clear();
        }
        let record = tokio::select! {
            () = stop.cancelled() => break,
            record = record::read(&mut reader) => match record {
                Ok(Some(record)) => record,
                _ => break,
            },
        };
        connection.active();
        if !Service::may_block(&record) {
            match service.call(peer, &record).map(|reply| record::append(&mut batch, &reply)) {
                Some(Ok(())) => continue,
                _ => break,
            }
        }
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = replies.clone().reserve_owned() => place,
        };
        let Ok(place) = place else { break };
        let (service, useless) = (Arc::clone(&service), stop.clone());
        tasks.spawn_blocking(move || match service.call(peer, &record) {
            Some(reply) => drop(place.send(reply)),
            None => useless.cancel(),
        });
    }
    drop(replies);
    tasks.close();
    tasks.wait().await;
}

async fn send_batch<W: AsyncWrite + Unpin>(writer: &Mutex<W>, batch: &[u8]) -> Result<(), RecordError> {
    record::write_batch(&mut *writer.lock().await, batch).await
}

async fn send_replies<W: AsyncWrite + Unpin>(
    writer: Arc<Mutex<W>>,
    mut queue: mpsc::Receiver<Vec<u8>>,
    stop: CancellationToken,
) {
    loop {
        let reply = tokio::select! {
            () = stop.cancelled() => break,
            reply = queue.recv() => match reply {
                Some(reply) => reply,
                None => break,
            },
        };
        let send = async { record::write(&mut *writer.lock().await, &reply).await };
        let sent = tokio::select! {
            () = stop.cancelled() => break,
            sent = send => sent,
        };
        if sent.is_err() {
            stop.cancel();
        }
    }
}
