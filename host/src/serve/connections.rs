//! Connections: how many, and for how long.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Site;
use super::answer::Body;
use super::router;

/// Most connections at the same time; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take to ask, and keep a connection on which it asks nothing.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long a client may leave what it was sent without an acknowledgement, in milliseconds: longer, and it is dropped.
const UNREAD_LIMIT: u32 = 60_000;
/// How long to wait when the system has no socket for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `cancel`.
///
/// # Errors
/// Those of the listener.
pub async fn serve(listener: TcpListener, site: Arc<Site>, cancel: CancellationToken) -> io::Result<()> {
    let _powers = site.bench.clone().map(|bench| {
        let site = Arc::clone(&site);
        AbortOnDropHandle::new(tokio::spawn(async move { site.powers.ask_on(&bench).await }))
    });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            _ = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&site)));
            }
            // A client that has gone again, or no descriptor for one more: others end meanwhile.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, site: Arc<Site>) {
    // Without it a client that reads nothing is only kept for longer.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNREAD_LIMIT);
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<Response<Body>, Infallible>(respond(&site, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // What goes wrong with a connection its client knows.
    let _ = connection.await;
}

async fn respond(site: &Arc<Site>, request: Request<Incoming>) -> Response<Body> {
    match site.names.refusal(request.headers()) {
        None => router::answer(site, request).await,
        Some(refusal) => refusal,
    }
}
