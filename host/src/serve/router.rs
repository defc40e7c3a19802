//! Which answer a request gets. Only POST changes something, and only for those who have the token.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;

use super::answer::{self, Body, json, json_error, text};
use super::api::{Boards, RunList, Started};
use super::ask::{self, Ask};
use super::follow::Follower;
use super::{Site, assets, control, files, metrics, openapi, pages};

/// Answers a request.
pub(super) async fn answer(site: &Arc<Site>, request: Request<Incoming>) -> Response<Body> {
    site.requests.fetch_add(1, Ordering::Relaxed);
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return control::answer(site, request).await;
    }
    let Some(ask) = Ask::of(request.uri()) else {
        return text(StatusCode::BAD_REQUEST, "This is no path.\n");
    };
    let wants_body = *request.method() == Method::GET;
    if let ["api", "runs", id, "events"] = ask.parts().as_slice() {
        let id = (*id).to_owned();
        return follow(site, id, offset(&ask, request.headers()), wants_body).await;
    }
    if let (["api", "boards"], Some(bench)) = (ask.parts().as_slice(), &site.bench) {
        site.powers.first(bench).await;
    }
    let (site, headers) = (Arc::clone(site), request.headers().clone());
    // Files are read, and leases asked for.
    let answered = spawn_blocking(move || blocking(&site, &ask, &headers, wants_body)).await;
    answered.unwrap_or_else(|_| text(StatusCode::INTERNAL_SERVER_ERROR, "This is a bug of host-runner.\n"))
}

fn blocking(site: &Site, ask: &Ask, headers: &HeaderMap, wants_body: bool) -> Response<Body> {
    let page = ask.query("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    match ask.parts().as_slice() {
        [""] => pages::bench(site, page),
        ["boards", name] => pages::board(site, name).unwrap_or_else(|| pages::nothing("board", name)),
        ["runs", id] => match site.runs.find(id) {
            Some(_) => answer::moved(&format!("/runs/{}/", ask::part(id))),
            None => pages::nothing("run", id),
        },
        ["runs", id, ""] => {
            let with_consoles = ask.query("consoles") != Some("no");
            pages::run(site, id, with_consoles).unwrap_or_else(|| pages::nothing("run", id))
        }
        ["runs", id, name @ ..] => {
            let name = name.join("/");
            let found = site.runs.find(id).and_then(|run| files::answer(&run, &name, wants_body));
            found.unwrap_or_else(|| pages::nothing("file", &name))
        }
        ["assets", name] => assets::answer(name, headers).unwrap_or_else(|| pages::nothing("file", name)),
        ["api", "boards"] => json(&Boards { boards: site.boards(&site.runs.list()) }),
        ["api", "runs"] => match ask.query("page").map_or(Ok(1), str::parse) {
            Ok(page @ 1..) => json(&RunList::of(&site.runs.list(), page)),
            _ => json_error(StatusCode::BAD_REQUEST, "`page` is a number from 1"),
        },
        ["api", "runs", id] => match site.run(id) {
            Some(Ok(run)) => json(&run),
            Some(Err(error)) => json_error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            None => json_error(
                StatusCode::NOT_FOUND,
                "there is no run of that name; one that was started here and has not begun, or was refused, is in /api/started",
            ),
        },
        ["api", "started"] => json(&Started { runs: site.started() }),
        ["api", "openapi.json"] => json(&openapi::document()),
        ["api", ..] => json_error(StatusCode::NOT_FOUND, "there is no such answer: see /api/openapi.json"),
        ["metrics"] => answer::whole("text/plain; version=0.0.4; charset=utf-8", metrics::text(site)),
        parts => pages::nothing("page", &parts.join("/")),
    }
}

/// From where events are wanted; `None` if that is no number.
fn offset(ask: &Ask, headers: &HeaderMap) -> Option<u64> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
    last.or(ask.query("from")).map_or(Some(0), |number| number.parse().ok())
}

async fn follow(site: &Arc<Site>, id: String, from: Option<u64>, wants_body: bool) -> Response<Body> {
    let Some(from) = from else {
        return json_error(StatusCode::BAD_REQUEST, "`from` and `Last-Event-ID` are offsets of run.jsonl");
    };
    let Ok(permit) = Arc::clone(&site.followers).try_acquire_owned() else {
        let mut busy = json_error(StatusCode::SERVICE_UNAVAILABLE, "too many follow events at the moment");
        busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return busy;
    };
    let site = Arc::clone(site);
    let opened = spawn_blocking(move || Some(Follower::open(&site.runs.find(&id)?, from))).await;
    match opened {
        Ok(Some(Ok(follower))) => {
            let body = if wants_body { follower.follow(permit) } else { Body::pieces().1 };
            answer::of(StatusCode::OK, "text/event-stream", body)
        }
        Ok(Some(Err(error))) => json_error(StatusCode::BAD_REQUEST, &error.to_string()),
        Ok(None) => json_error(StatusCode::NOT_FOUND, "there is no run of that name"),
        Err(_) => json_error(StatusCode::INTERNAL_SERVER_ERROR, "this is a bug of host-runner"),
    }
}
