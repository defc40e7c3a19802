//! Downloads by HTTP: conditional, repeated while that makes sense, never beyond their time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body};

use super::blob_writer::BlobWriter;
use super::cache::Cache;
use super::checksum::Checksums;
use super::copy::{Budget, CopyError, Progress, copy};
use super::error::Reason;
use super::headers::Headers;
use super::url::host_and_port;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// Most servers that one answer leads to, one after the other.
const MAX_REDIRECTS: u32 = 10;
const USER_AGENT: &str = concat!("host-runner/", env!("CARGO_PKG_VERSION"));

/// What a server said about the version of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }
}

/// A downloaded file, not yet kept.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) writer: BlobWriter,
    pub(super) validators: Validators,
}

/// What is downloaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) url: &'a str,
    /// Sent to the server of the URL, and to no other that it leads to.
    pub(super) headers: &'a Headers,
    /// What is there already.
    pub(super) known: Option<&'a Validators>,
}

/// Downloads a file; `None` if it has not changed since it was known.
pub(super) fn download(
    cache: &Cache,
    source: &Source<'_>,
    demanded: &Checksums,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<Option<Download>, Reason> {
    cache.retry.run(budget, || try_download(cache, source, demanded, budget, progress))
}

fn try_download(
    cache: &Cache,
    source: &Source<'_>,
    demanded: &Checksums,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<Option<Download>, Reason> {
    let mut response = get(source, budget)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if source.known.is_some() => return Ok(None),
        status => return Err(Reason::Status { status: status.to_string() }),
    }
    let validators = Validators::of(response.headers());
    let total = response.body().content_length();
    let mut writer = cache.writer(demanded)?;
    let limit = cache.max_size;
    match copy(&mut response.body_mut().as_reader(), &mut writer, limit, budget, total, progress) {
        Ok(_) => Ok(Some(Download { writer, validators })),
        Err(CopyError::Read { done: got, source }) => Err(Reason::BrokenOff { got, total, source }),
        Err(CopyError::Write(source)) => Err(Reason::Cache { path: writer.path().to_owned(), source }),
        Err(CopyError::TooLarge) => Err(Reason::TooLarge { limit }),
        Err(CopyError::Budget(reason)) => Err(reason),
    }
}

/// The answer to a request, at the end of all redirections (RFC 9110 §15.4).
fn get(source: &Source<'_>, budget: &Budget) -> Result<Response<Body>, Reason> {
    if source.headers.is_empty() {
        return request(source.url, source, MAX_REDIRECTS, budget);
    }
    // Step by step: what is sent to this server may be a secret, and is nothing for another.
    let mut url = source.url.to_owned();
    for _ in 0..MAX_REDIRECTS {
        let response = request(&url, source, 0, budget)?;
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let Some(next) = location.filter(|_| response.status().is_redirection()) else {
            return Ok(response);
        };
        url = join(&url, next);
        if origin(&url) != origin(source.url) {
            let plain = Source { headers: &Headers::default(), ..*source };
            return request(&url, &plain, MAX_REDIRECTS, budget);
        }
    }
    Err(Reason::Http(Box::new(ureq::Error::TooManyRedirects)))
}

fn request(
    url: &str,
    source: &Source<'_>,
    redirects: u32,
    budget: &Budget,
) -> Result<Response<Body>, Reason> {
    let config = Agent::config_builder()
        .timeout_global(Some(budget.remaining()?))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(SILENCE))
        .http_status_as_error(false)
        .max_redirects(redirects)
        .user_agent(USER_AGENT)
        .build();
    let mut request = Agent::new_with_config(config).get(url);
    for (name, value) in source.headers.iter() {
        request = request.header(name, value);
    }
    if let Some(etag) = source.known.and_then(|known| known.etag.as_ref()) {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(last_modified) = source.known.and_then(|known| known.last_modified.as_ref()) {
        request = request.header(header::IF_MODIFIED_SINCE, last_modified);
    }
    request.call().map_err(|error| Reason::Http(Box::new(error)))
}

/// Scheme, host and port of a URL (RFC 6454 §4).
fn origin(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    (scheme.to_ascii_lowercase(), host_and_port(rest).to_ascii_lowercase())
}

/// What `reference` means in an answer to a request for `base` (RFC 3986 §5.2), but for `..`, which servers resolve.
fn join(base: &str, reference: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    if reference.contains("://") {
        return reference.to_owned();
    }
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if reference.starts_with('/') {
        return format!("{scheme}://{authority}{reference}");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{scheme}://{authority}{directory}/{reference}")
}

#[cfg(test)]
mod tests {
    use super::{join, origin};

    #[test]
    fn references_are_resolved_against_the_url_that_was_asked_for() {
        for (reference, url) in [
            ("https://other/x", "https://other/x"),
            ("//other/x", "http://other/x"),
            ("/x?y", "http://user@h:80/x?y"),
            ("x", "http://user@h:80/a/x"),
        ] {
            assert_eq!(join("http://user@h:80/a/b?c/d", reference), url);
        }
        assert_eq!(join("http://h", "x"), "http://h/x");
    }

    #[test]
    fn another_port_host_or_scheme_is_another_origin() {
        assert_eq!(origin("HTTP://me@Host:80/a"), origin("http://host:80/b?c"));
        for other in ["http://host:81/a", "https://host:80/a", "http://host:80@evil/a"] {
            assert_ne!(origin("http://host:80/a"), origin(other), "{other}");
        }
    }
}
