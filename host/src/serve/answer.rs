//! Answers, their bodies and the headers that all of them have.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use super::api::{ErrorAnswer, Problem};

/// Bytes that a client is sent in one piece.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for a client: with those of the system, all that a slow one holds.
const WAITING: usize = 2;

/// What is sent: all at once, or piece by piece as the client takes it.
#[derive(Debug)]
pub(super) enum Body {
    Whole(Full<Bytes>),
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
}

/// Where the pieces of a body are put; it waits for slow clients, and is closed when the client has gone.
pub(super) type Pieces = mpsc::Sender<io::Result<Bytes>>;

impl Body {
    /// A body and where its pieces are put.
    pub(super) fn pieces() -> (Pieces, Self) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (sender, Self::Pieces(receiver))
    }

    /// The first `length` bytes of a file.
    pub(super) fn file(file: File, length: u64) -> Self {
        let (pieces, body) = Self::pieces();
        tokio::spawn(async move {
            let mut file = tokio::fs::File::from_std(file).take(length);
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await;
                let is_last = !matches!(read, Ok(count) if count > 0);
                if matches!(read, Ok(0)) || pieces.send(read.map(|_| piece.into())).await.is_err() || is_last
                {
                    return;
                }
            }
        });
        body
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Self::Pieces(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// An answer of a type, with the headers that forbid a browser to make more of it.
pub(super) fn of(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A whole answer.
pub(super) fn whole(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    of(StatusCode::OK, content_type, Body::Whole(Full::new(body.into())))
}

/// A word to whoever asked.
pub(super) fn text(status: StatusCode, words: impl Into<Bytes>) -> Response<Body> {
    of(status, "text/plain; charset=utf-8", Body::Whole(Full::new(words.into())))
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole("application/json", bytes),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// Why there is no value.
pub(super) fn json_error(status: StatusCode, message: &str) -> Response<Body> {
    json_problems(status, message, &[])
}

/// Why there is no value, with all that is wrong with what was sent.
pub(super) fn json_problems(status: StatusCode, message: &str, problems: &[Problem]) -> Response<Body> {
    let mut response = json(&ErrorAnswer { error: message, problems });
    *response.status_mut() = status;
    response
}

/// The same with another place.
pub(super) fn moved(to: &str) -> Response<Body> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "");
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}
