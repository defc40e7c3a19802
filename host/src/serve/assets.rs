//! What pages are made of beside their text: part of the program.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::report::html::STYLE;

use super::answer::{Body, text, whole};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

const ASSETS: [(&str, &str, &str); 11] = [
    ("report.css", CSS, STYLE),
    ("site.css", CSS, include_str!("assets/site.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("bench.js", SCRIPT, include_str!("assets/bench.js")),
    ("control.js", SCRIPT, include_str!("assets/control.js")),
    ("run.js", SCRIPT, include_str!("assets/run.js")),
    ("sections.js", SCRIPT, include_str!("assets/sections.js")),
    ("terminals.js", SCRIPT, include_str!("assets/terminals.js")),
    ("times.js", SCRIPT, include_str!("assets/times.js")),
    ("xterm.mjs", SCRIPT, include_str!("assets/xterm/xterm.mjs")),
    ("xterm.css", CSS, include_str!("assets/xterm/xterm.css")),
];

/// The asset `name`; not again, if the client has it already.
pub(super) fn answer(name: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let (_, content_type, content) = ASSETS.into_iter().find(|(known, ..)| *known == name)?;
    let digest: String = Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{digest}\"");
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match is_known {
        true => text(StatusCode::NOT_MODIFIED, ""),
        false => whole(content_type, Bytes::from_static(content.as_bytes())),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Some(response)
}
