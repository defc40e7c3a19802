//! A client of HTTP that does nothing by itself: what a test sends is what arrives. HTTP/1.0, so that a body ends with its
//! connection.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::harness::PATIENCE;

/// Largest body that is read, in bytes.
const MAX_BODY: u64 = 64 << 20;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Status line and headers, names in lower case.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The value of a header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Sends `METHOD TARGET` and header lines, and reads the head of the answer.
///
/// # Errors
/// Those of the connection, and an answer without a status.
pub fn open(
    address: SocketAddr,
    request: &str,
    headers: &[&str],
) -> io::Result<(u16, String, BufReader<TcpStream>)> {
    open_with(address, request, headers, "")
}

fn open_with(
    address: SocketAddr,
    request: &str,
    headers: &[&str],
    body: &str,
) -> io::Result<(u16, String, BufReader<TcpStream>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{request} HTTP/1.0\r\n{}\r\n\r\n", headers.join("\r\n"))?;
    stream.write_all(body.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::Error::other(format!("the answer ends in its head: {head}")));
        }
    }
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status: {head}")))?;
    let lines = head.trim_end().split("\r\n").map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    });
    Ok((status, lines.collect::<Vec<_>>().join("\n"), reader))
}

/// As [`open`], with the body.
///
/// # Errors
/// As [`open`].
pub fn send(address: SocketAddr, request: &str, headers: &[&str]) -> io::Result<Answer> {
    let (status, head, reader) = open(address, request, headers)?;
    answer(status, head, reader)
}

fn answer(status: u16, head: String, reader: BufReader<TcpStream>) -> io::Result<Answer> {
    let mut body = Vec::new();
    reader.take(MAX_BODY).read_to_end(&mut body)?;
    Ok(Answer { status, head, body })
}

/// Gets a path, by the server's address.
///
/// # Panics
/// When there is no answer.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path}"), &[&format!("Host: {address}")]).expect("the server answers")
}

/// Posts a body with a token to a path, by the server's address.
///
/// # Panics
/// When there is no answer.
pub fn post(address: SocketAddr, path: &str, token: Option<&str>, body: &str) -> Answer {
    post_as(address, path, token, "application/octet-stream", body)
}

/// As [`post`], of a body of the media type `kind`.
///
/// # Panics
/// When there is no answer.
pub fn post_as(address: SocketAddr, path: &str, token: Option<&str>, kind: &str, body: &str) -> Answer {
    let mut headers = vec![
        format!("Host: {address}"),
        format!("Content-Type: {kind}"),
        format!("Content-Length: {}", body.len()),
    ];
    headers.extend(token.map(|token| format!("Authorization: Bearer {token}")));
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    let (status, head, reader) =
        open_with(address, &format!("POST {path}"), &headers, body).expect("the server answers");
    answer(status, head, reader).expect("the server answers")
}

/// A Server-Sent Event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its id.
    pub id: String,
    /// Its type; empty for the usual one.
    pub kind: String,
    /// Its data.
    pub data: String,
}

/// A stream of Server-Sent Events.
#[derive(Debug)]
pub struct ServerEvents(BufReader<TcpStream>);

impl ServerEvents {
    /// Opens the stream at `path`; with the id of the event that came last, if any.
    ///
    /// # Errors
    /// The status and what was said, where that is no stream.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Result<Self, u16> {
        let mut headers = vec![format!("Host: {address}")];
        headers.extend(last.map(|id| format!("Last-Event-ID: {id}")));
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let (status, _, reader) =
            open(address, &format!("GET {path}"), &headers).expect("the server answers");
        if status == 200 { Ok(Self(reader)) } else { Err(status) }
    }
}

impl Iterator for ServerEvents {
    type Item = ServerEvent;

    /// The next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<ServerEvent> {
        let mut event = ServerEvent::default();
        loop {
            let mut line = String::new();
            let count = self.0.read_line(&mut line).expect("the stream goes on or ends");
            if count == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("data", data)) => data.clone_into(&mut event.data),
                None if line == "\n" && !event.data.is_empty() => return Some(event),
                _ => {}
            }
        }
    }
}
