//! Requests to a relay on the network that speaks HTTP (RFC 9110): small, bounded in time and size, with a password where it
//! asks for one.

use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use http_auth::{PasswordClient, PasswordParams};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{StatusCode, header};

use super::{PowerErrorKind, Time};
use crate::board::Secret;
use crate::text::{clip, without_steering};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// Longest answer, in bytes. The longest that is documented has some hundred.
const MAX_ANSWER: u64 = 64 * 1024;

/// How much of an answer is shown in an error, in bytes.
const SHOWN: usize = 200;

/// Stands for a password in what a device answers.
const HIDDEN: &str = "[hidden]";

/// A relay on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpDevice {
    /// Its name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who logs in, where it asks for that.
    pub user: String,
    /// The password, where it has one.
    pub password: Option<Secret>,
}

/// A relay on the network does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Its name leads nowhere.
    #[error("there is no host `{host}`")]
    NoHost {
        /// The name.
        host: String,
    },
    /// It cannot be reached.
    #[error("no connection to {address}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It does not answer.
    #[error("no whole answer from {address} within {} s", waited.as_secs_f64().ceil())]
    Silent {
        /// Host and port.
        address: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It does not speak HTTP.
    #[error("{address} does not answer as a web server: {reason}")]
    Protocol {
        /// Host and port.
        address: String,
        /// The library's words.
        reason: String,
    },
    /// The answer has no end.
    #[error("the answer of {address} is longer than {limit} bytes")]
    TooLong {
        /// Host and port.
        address: String,
        /// Most bytes.
        limit: u64,
    },
    /// It wants a password, or another one.
    #[error("{address} wants {}", if *given { "another user or password" } else { "a password" })]
    Password {
        /// Host and port.
        address: String,
        /// Whether it was given one.
        given: bool,
    },
    /// Its way to ask for a password is not known.
    #[error("{address} asks for a password in a way that is not known: {reason}")]
    Scheme {
        /// Host and port.
        address: String,
        /// Which.
        reason: String,
    },
    /// It refuses.
    #[error("{address} answered {status}{}", behind_colon(.said))]
    Status {
        /// Host and port.
        address: String,
        /// The status.
        status: StatusCode,
        /// The begin of what it said.
        said: String,
    },
    /// It answered something else.
    #[error("{address} answered `{said}` and not {wanted}")]
    Answer {
        /// Host and port.
        address: String,
        /// What it was asked for.
        wanted: String,
        /// The begin of what it said.
        said: String,
    },
}

fn behind_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl HttpError {
    /// Whether the bench file is to be mended.
    pub const fn is_benchs(&self) -> bool {
        matches!(self, Self::NoHost { .. } | Self::Password { .. } | Self::Scheme { .. })
    }

    /// What to do about it, if that can be said.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoHost { .. } => "`host` of the board's `power` is the device's name or address",
            Self::Password { given: false, .. } => {
                "add `password`, the name of one of the bench's `[tokens]`, to the board's `power`"
            }
            Self::Password { given: true, .. } => "look at `user` and `password` of the board's `power`",
            Self::Answer { .. } | Self::Protocol { .. } => {
                "is `driver` the one for this device, and is `host` its address?"
            }
            _ => return None,
        };
        Some(help.to_owned())
    }
}

/// Parts of a query, as `name` and value; encoded when they are sent.
pub(super) type Query = Vec<(&'static str, String)>;

impl HttpDevice {
    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        if self.host.parse::<Ipv6Addr>().is_ok() {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The JSON object that it answers to a request for `path`, which is shown in messages; a query is not.
    pub(super) async fn object(
        &self,
        path: &str,
        query: Query,
        time: &Time,
    ) -> Result<Object, PowerErrorKind> {
        let password = self.password.as_ref().map(Secret::reveal).transpose()?;
        let request = Request {
            address: self.address(),
            path: path.to_owned(),
            query,
            user: self.user.clone(),
            password,
            limit: time.part(REQUEST).left(),
        };
        let address = request.address.clone();
        let answered = tokio::task::spawn_blocking(move || request.send()).await;
        let object = answered.map_err(|error| HttpError::Unreachable { address, source: error.into() })??;
        Ok(object)
    }
}

/// A JSON object, and how it is shown.
#[derive(Debug)]
pub(super) struct Object {
    address: String,
    /// The object; [`Value::Null`] for anything else.
    pub(super) value: Value,
    shown: String,
}

impl Object {
    /// It is not what it was asked for.
    pub(super) fn refused(self, wanted: impl Into<String>) -> PowerErrorKind {
        HttpError::Answer { address: self.address, wanted: wanted.into(), said: self.shown }.into()
    }

    /// It is a demand for a password.
    pub(super) fn wants_password(self, given: bool) -> PowerErrorKind {
        HttpError::Password { address: self.address, given }.into()
    }
}

struct Request {
    address: String,
    path: String,
    query: Query,
    user: String,
    password: Option<String>,
    limit: Duration,
}

impl Request {
    /// Asks, and asks again with the password where that is demanded.
    fn send(self) -> Result<Object, HttpError> {
        let time = std::time::Instant::now();
        let (status, challenge, text) = self.get(None, self.limit)?;
        let (status, text) = match (status, challenge, &self.password) {
            (StatusCode::UNAUTHORIZED, Some(challenge), Some(password)) => {
                let proof = self.proof(&challenge, password)?;
                let (status, _, text) = self.get(Some(proof), self.limit.saturating_sub(time.elapsed()))?;
                (status, text)
            }
            (status, ..) => (status, text),
        };
        let shown = self.shown(&text);
        let address = self.address;
        match status {
            StatusCode::UNAUTHORIZED => Err(HttpError::Password { address, given: self.password.is_some() }),
            StatusCode::OK => {
                let value = serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or_default();
                Ok(Object { address, value, shown })
            }
            status => Err(HttpError::Status { address, status, said: shown }),
        }
    }

    /// The `Authorization` that answers a `WWW-Authenticate` (RFC 7616, RFC 7617).
    fn proof(&self, challenge: &str, password: &str) -> Result<String, HttpError> {
        let unknown = |reason| HttpError::Scheme { address: self.address.clone(), reason };
        let mut client = PasswordClient::try_from(challenge).map_err(unknown)?;
        let parameters = PasswordParams {
            username: &self.user,
            password,
            uri: &self.path,
            method: "GET",
            body: Some(&[]),
        };
        client.respond(&parameters).map_err(unknown)
    }

    /// Status, `WWW-Authenticate` and body.
    fn get(
        &self,
        proof: Option<String>,
        limit: Duration,
    ) -> Result<(StatusCode, Option<String>, String), HttpError> {
        let failed = |error| self.error(error);
        let config = Agent::config_builder()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .max_redirects(0)
            // A device beside the board is not behind a proxy.
            .proxy(None)
            .user_agent(concat!("host-runner/", env!("CARGO_PKG_VERSION")))
            .build();
        let mut request = Agent::new_with_config(config).get(format!("http://{}{}", self.address, self.path));
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        if let Some(proof) = proof {
            request = request.header(header::AUTHORIZATION, proof);
        }
        let mut response = request.call().map_err(failed)?;
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(failed)?;
        Ok((response.status(), challenge, String::from_utf8_lossy(&body).into_owned()))
    }

    /// The library's error, in words that have nothing of the query.
    fn error(&self, error: ureq::Error) -> HttpError {
        let address = self.address.clone();
        match error {
            ureq::Error::HostNotFound => HttpError::NoHost { host: address },
            ureq::Error::Timeout(_) => HttpError::Silent { address, waited: self.limit },
            ureq::Error::Io(source) => HttpError::Unreachable { address, source },
            ureq::Error::ConnectionFailed => {
                HttpError::Unreachable { address, source: io::ErrorKind::NotConnected.into() }
            }
            ureq::Error::BodyExceedsLimit(limit) => HttpError::TooLong { address, limit },
            ureq::Error::Protocol(reason) => HttpError::Protocol { address, reason: reason.to_string() },
            ureq::Error::LargeResponseHeader(..) => {
                HttpError::Protocol { address, reason: "its header has no end".to_owned() }
            }
            _ => HttpError::Protocol { address, reason: "the request cannot be made".to_owned() },
        }
    }

    /// The begin of an answer on one line, without the password.
    fn shown(&self, text: &str) -> String {
        let secret = self.password.as_deref().filter(|secret| !secret.is_empty());
        let text = secret.map_or_else(|| text.to_owned(), |secret| text.replace(secret, HIDDEN));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = clip(&line, SHOWN);
        without_steering(&line).unwrap_or(line)
    }
}
