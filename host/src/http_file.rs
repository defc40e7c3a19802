//! One file behind HTTP (RFC 9110, RFC 9112), for a board that fetches it with a program of its own.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::net::Net;

/// How long a client may take to ask.
const HEADER_TIME: Duration = Duration::from_secs(30);

/// Most connections at the same time.
const MAX_CONNECTIONS: usize = 4;

/// A file that is served until this is dropped.
#[derive(Debug)]
pub(crate) struct HttpFile {
    url: String,
    _task: AbortOnDropHandle<()>,
}

impl HttpFile {
    /// Serves `content` under `path`, which begins with `/`, at any free port of `address` in `net`, to `peer` alone.
    ///
    /// # Errors
    /// Those of the system's `bind` and `listen`.
    pub(crate) async fn serve(
        net: &Net,
        address: IpAddr,
        peer: IpAddr,
        path: String,
        content: Bytes,
    ) -> io::Result<Self> {
        let listener = net.listen_tcp(SocketAddr::new(address, 0)).await?;
        let url = format!("http://{}{path}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            // It ends when the system has no more sockets: the board then says that it cannot connect.
            while let Ok((stream, from)) = listener.accept().await {
                if from.ip() != peer {
                    continue;
                }
                if connections.len() >= MAX_CONNECTIONS {
                    connections.join_next().await;
                }
                connections.spawn(answer(stream, path.clone(), content.clone()));
            }
        });
        Ok(Self { url, _task: AbortOnDropHandle::new(task) })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

async fn answer(stream: TcpStream, path: String, content: Bytes) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, &path, &content);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What goes wrong here the board tells from its side.
    let _ = connection.await;
}

fn respond(request: &Request<Incoming>, path: &str, content: &Bytes) -> Response<Full<Bytes>> {
    let status = match *request.method() {
        _ if request.uri().path() != path => StatusCode::NOT_FOUND,
        // hyper leaves the body out for HEAD.
        Method::GET | Method::HEAD => return Response::new(Full::new(content.clone())),
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    async fn get(url: String) -> Result<(u16, String), String> {
        let answer = tokio::task::spawn_blocking(move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).build();
            let mut response = ureq::Agent::new_with_config(config).get(&url).call()?;
            Ok::<_, ureq::Error>((response.status().as_u16(), response.body_mut().read_to_string()?))
        });
        answer.await.unwrap().map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_file_is_there_for_its_board_under_its_path_alone() {
        let content = Bytes::from_static(b"content");
        let file = HttpFile::serve(&Net::Host, HERE, HERE, "/7/overlay".to_owned(), content).await.unwrap();
        assert_eq!(get(file.url().to_owned()).await, Ok((200, "content".to_owned())));
        assert_eq!(get(file.url().replace("/7/", "/8/")).await, Ok((404, String::new())));
        let url = file.url().to_owned();
        drop(file);
        get(url).await.unwrap_err();
    }

    #[tokio::test]
    async fn others_get_nothing() {
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
        let file = HttpFile::serve(&Net::Host, HERE, other, "/x".to_owned(), Bytes::new()).await.unwrap();
        get(file.url().to_owned()).await.unwrap_err();
    }
}
