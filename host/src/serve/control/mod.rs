//! What may be changed, by whoever knows the token: the power of boards, what is typed on their consoles, runs.
//!
//! Every such request has the token in its `Authorization` header. No page of another origin can send that header, and nothing
//! is kept of who asked: no cookie has to be guarded.

mod keys;
mod power;
mod started;
mod token;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;

use crate::board::{Bench, Board};
use crate::diagnostic::MAX_FILE_BYTES;

use super::Site;
use super::answer::{Body, json, json_error, json_problems};
use super::api::{KeysAnswer, Problem, StartedAnswer};
use super::ask::Ask;

pub(super) use power::{PowerAnswer, PowerOrder};
pub(super) use started::{StartedRun, StartedState};
pub use token::{Token, TokenFileError};

/// How long a request's body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// What is needed to change something.
#[derive(Debug)]
pub(super) struct Control {
    token: Token,
    typists: keys::Typists,
    pub(super) started: started::StartedRuns,
}

impl Control {
    pub(super) fn new(token: Token) -> Self {
        Self { token, typists: keys::Typists::default(), started: started::StartedRuns::default() }
    }
}

/// Why something is not done.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    why: String,
    /// All that is wrong with the job that was sent.
    problems: Vec<Problem>,
}

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), problems: Vec::new() }
    }
}

/// Does what a request asks for that does not only read.
pub(super) async fn answer(site: &Arc<Site>, request: Request<Incoming>) -> Response<Body> {
    let Some(control) = &site.control else {
        let why = "everything here is read only: `host-runner serve --control` lets those who know its token change something";
        return not_allowed(why, "GET, HEAD");
    };
    if *request.method() != Method::POST {
        return not_allowed("GET, HEAD and POST are answered", "GET, HEAD, POST");
    }
    if !control.token.is_in(request.headers()) {
        let mut refusal = json_error(StatusCode::UNAUTHORIZED, "this needs the token of this server");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return refusal;
    }
    match change(site, control, request).await {
        Ok(response) => response,
        Err(Refusal { status, why, problems }) => json_problems(status, &why, &problems),
    }
}

fn not_allowed(why: &str, methods: &'static str) -> Response<Body> {
    let mut refusal = json_error(StatusCode::METHOD_NOT_ALLOWED, why);
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    refusal
}

async fn change(
    site: &Arc<Site>,
    control: &Control,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let Some(ask) = Ask::of(request.uri()) else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "this is no path"));
    };
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    let body = body(request.into_body()).await?;
    match ask.parts().as_slice() {
        // Whose page has gone has given its order all the same.
        ["api", "token"] => Ok(json(&serde_json::json!({}))),
        ["api", "boards", name, "power"] => power::switch(site, name, &body).await.map(|state| json(&state)),
        ["api", "boards", _, "keys"] if is_json => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "keys are typed as they are sent, byte by byte: this is JSON",
        )),
        ["api", "boards", name, "keys"] => {
            let (bench, board) = board_of(site, name)?;
            control.typists.type_in(bench, &board, body)?;
            let warning = keys::warning(bench, &board).await;
            Ok(accepted(&KeysAnswer { warning }))
        }
        ["api", "runs"] => {
            let bench = bench_of(site)?;
            let id = control.started.start(bench, site.runs.directory(), body).await?;
            Ok(accepted(&StartedAnswer { id }))
        }
        ["api", "runs", id, "cancel"] => {
            control.started.cancel(id)?;
            Ok(accepted(&serde_json::json!({})))
        }
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing to change: see /api/openapi.json")),
    }
}

fn accepted(value: &impl serde::Serialize) -> Response<Body> {
    let mut response = json(value);
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// The whole body: a job file at most.
async fn body(body: Incoming) -> Result<Bytes, Refusal> {
    let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
    match timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("body of {limit} bytes at most: {error}"),
        )),
        Err(_) => {
            let text = format!("the body has not come within {} s", BODY_TIME.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

fn bench_of(site: &Site) -> Result<&Bench, Refusal> {
    let none = || Refusal::new(StatusCode::CONFLICT, "without a bench file there are no boards");
    site.bench.as_ref().ok_or_else(none)
}

fn board_of<'s>(site: &'s Site, name: &str) -> Result<(&'s Bench, Arc<Board>), Refusal> {
    let bench = bench_of(site)?;
    let board = bench.boards.iter().find(|board| board.name == name).cloned();
    let board = board.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no board of that name"))?;
    Ok((bench, board))
}
