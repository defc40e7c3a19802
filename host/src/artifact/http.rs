//! Downloads by HTTP: conditional, repeated while that makes sense, never beyond their time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode, header};

use super::blob_writer::BlobWriter;
use super::cache::Cache;
use super::checksum::Checksums;
use super::copy::{Budget, CopyError, Progress, copy};
use super::error::Reason;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("host-runner/", env!("CARGO_PKG_VERSION"));

/// How often a failed download is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// Attempts in all.
    pub(super) attempts: u32,
    /// Wait before the second attempt; it doubles with each.
    pub(super) delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, delay: Duration::from_millis(500) }
    }
}

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

/// Downloads `url`; `None` if it has not changed since `known`.
pub(super) fn download(
    cache: &Cache,
    url: &str,
    known: Option<&Validators>,
    demanded: &Checksums,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<Option<Download>, Reason> {
    let mut delay = cache.retry.delay;
    for attempt in 1.. {
        let last = match try_download(cache, url, known, demanded, budget, progress) {
            Ok(answer) => return Ok(answer),
            Err(reason) if !may_pass(&reason) => return Err(reason),
            Err(reason) => reason,
        };
        match budget.remaining() {
            Ok(left) if attempt < cache.retry.attempts && left > delay => std::thread::sleep(delay),
            Ok(_) if attempt == 1 => return Err(last),
            Ok(_) => return Err(Reason::Attempts { attempts: attempt, last: Box::new(last) }),
            Err(Reason::Timeout { waited, .. }) => {
                return Err(Reason::Timeout { waited, last: Some(Box::new(last)) });
            }
            Err(reason) => return Err(reason),
        }
        delay *= 2;
    }
    Err(Reason::Cancelled)
}

fn try_download(
    cache: &Cache,
    url: &str,
    known: Option<&Validators>,
    demanded: &Checksums,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<Option<Download>, Reason> {
    let config = Agent::config_builder()
        .timeout_global(Some(budget.remaining()?))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(SILENCE))
        .http_status_as_error(false)
        .user_agent(USER_AGENT)
        .build();
    let mut request = Agent::new_with_config(config).get(url);
    if let Some(etag) = known.and_then(|known| known.etag.as_ref()) {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(last_modified) = known.and_then(|known| known.last_modified.as_ref()) {
        request = request.header(header::IF_MODIFIED_SINCE, last_modified);
    }
    let mut response = request.call().map_err(|error| Reason::Http(Box::new(error)))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if known.is_some() => return Ok(None),
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

/// Returns whether the next attempt may fare better.
fn may_pass(reason: &Reason) -> bool {
    match reason {
        Reason::BrokenOff { .. } => true,
        Reason::Http(error) => matches!(
            **error,
            ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Protocol(_)
        ),
        Reason::Status { status } => {
            status.starts_with('5') || status.starts_with("408") || status.starts_with("429")
        }
        _ => false,
    }
}
