//! What all pages have: head, headers and the small parts that occur everywhere.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{Response, StatusCode};
use maud::{DOCTYPE, Markup, html};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::event::Outcome;
use crate::report::html::outcome;
use crate::serve::answer::{self, Body};
use crate::serve::runs::State;

/// A page's head.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// Its module, of those in `assets`.
    pub(super) script: Option<&'a str>,
    /// Style sheets beside those of all pages.
    pub(super) styles: &'a [&'a str],
    /// Whether something can be changed by those who know the token.
    pub(super) has_control: bool,
}

impl Page<'_> {
    /// The answer.
    pub(super) fn answer(&self, status: StatusCode, header: Markup, main: Markup) -> Response<Body> {
        let nonce = nonce();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · host-runner" }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    @for sheet in ["report.css", "site.css"].iter().chain(self.styles) {
                        link rel="stylesheet" href={ "/assets/" (sheet) };
                    }
                    @if let Some(script) = self.script {
                        script type="module" src={ "/assets/" (script) } nonce=(nonce) {}
                    }
                }
                body {
                    a.skip href="#main" { "To the content" }
                    nav.site aria-label="Site" {
                        a href="/" { "Boards and runs" }
                        @if self.has_control { (sign_in()) }
                    }
                    header { (header) }
                    main #main { (main) }
                    @if self.has_control { p #told role="status" {} }
                }
            }
        };
        let body = Body::Whole(Full::new(Bytes::from(page.into_string())));
        let mut response = answer::of(status, "text/html; charset=utf-8", body);
        // xterm.js makes style elements, which get the nonce, and gives coloured characters style attributes.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; \
             img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// Where the token is said; the script of the page shows it.
fn sign_in() -> Markup {
    html! {
        form #sign-in hidden {
            label { "Token " input type="password" name="token" autocomplete="off" size="34" required; } " "
            button { "Take control" }
        }
        button.control #sign-out type="button" { "Give up control" }
    }
}

/// A word that nobody can know before. Without random numbers a word that allows nothing.
fn nonce() -> String {
    let mut bytes = [0; 16];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(_) => format!("{:032x}", u128::from_ne_bytes(bytes)),
        Err(_) => "none".to_owned(),
    }
}

/// A time; the script of the page shows it in the reader's zone.
pub(super) fn time(at: jiff::Timestamp) -> Markup {
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M:%S UTC")) } }
}

/// How far a run is, or how it ended, as a word in its colour.
pub(super) fn state(state: State, ended: Option<Outcome>) -> Markup {
    match state {
        State::Running => html! { span.badge.running { "running" } },
        State::CutOff => html! { span.badge.unfinished { "cut off" } },
        State::Finished => outcome(ended),
    }
}
