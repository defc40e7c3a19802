//! From nothing to an authenticated session, with as many attempts as the deadline permits.

use std::borrow::Cow;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::Preferred;
use russh::client::{self, AuthResult, DisconnectReason};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{HostKeyMismatch, HostKeys, KeyPair, SshError, SshSession};
use crate::net::Net;

/// How long TCP may take; an absent host answers nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long banner and key exchange may take: an emulated board needs seconds for them.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long authentication may take.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after the first attempt; it doubles with each attempt up to [`MAX_PAUSE`]. A host that announces itself while
/// its SSH server starts is only milliseconds early.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longest pause between attempts.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A host that is silent for so long is asked whether it is there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Questions without an answer before the host is taken for dead.
const KEEPALIVE_MAX: usize = 3;

/// Where to connect to, and as whom.
#[derive(Clone, Debug)]
pub struct SshTarget {
    /// The network to connect in.
    pub net: Net,
    /// Address and port of the host.
    pub address: SocketAddr,
    /// Login name.
    pub user: String,
    /// The key that the host accepts.
    pub key: KeyPair,
    /// The keys by which the host is known.
    pub host_keys: HostKeys,
}

/// Connects and authenticates, trying again until `deadline` while the host is not ready.
///
/// `on_retry` is told each error that another attempt follows.
///
/// # Errors
/// [`SshError::GaveUp`] with the last attempt's error at the deadline. A host key that differs, a key that is not accepted and
/// a host that speaks no common SSH are not tried again.
pub async fn connect(
    target: &SshTarget,
    deadline: Instant,
    mut on_retry: impl FnMut(&SshError),
) -> Result<SshSession, SshError> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match attempt(target, deadline).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        if !error.is_temporary() {
            return Err(error);
        }
        let next = Instant::now() + pause;
        if next >= deadline {
            let (user, address, waited) = (target.user.clone(), target.address, started.elapsed());
            return Err(SshError::GaveUp { user, address, attempts, waited, last: Box::new(error) });
        }
        on_retry(&error);
        sleep_until(next).await;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

async fn attempt(target: &SshTarget, deadline: Instant) -> Result<SshSession, SshError> {
    let connecting = target.net.connect_tcp(target.address);
    let stream =
        within("answer to TCP", CONNECT_TIMEOUT, deadline, connecting).await?.map_err(SshError::Connect)?;
    stream.set_nodelay(true).map_err(SshError::Connect)?;
    let stream = stream.into_std().map_err(SshError::Connect)?;
    let socket = Socket(stream.try_clone().map_err(SshError::Connect)?);
    let stream = tokio::net::TcpStream::from_std(stream).map_err(SshError::Connect)?;

    let end = End::default();
    let handler = Handler { host_keys: target.host_keys.clone(), end: end.clone() };
    let handshake = client::connect_stream(Arc::new(configuration(&target.host_keys)), stream, handler);
    let mut handle = within("SSH handshake", HANDSHAKE_TIMEOUT, deadline, handshake).await??;

    let key = PrivateKeyWithHashAlg::new(target.key.private(), None);
    let authentication = handle.authenticate_publickey(&target.user, key);
    let result =
        within("end of SSH authentication", AUTHENTICATION_TIMEOUT, deadline, authentication).await?;
    match result.map_err(SshError::Handshake)? {
        AuthResult::Success => Ok(SshSession::new(handle, socket, end)),
        // Without a single method it was not the host that answered, but the end of the connection.
        AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
            Err(SshError::Lost { reason: end.reason("during authentication") })
        }
        AuthResult::Failure { remaining_methods, .. } => {
            let methods: Vec<&str> = remaining_methods.iter().map(<&str>::from).collect();
            Err(SshError::Denied { methods: methods.join(",") })
        }
    }
}

async fn within<T>(
    awaited: &'static str,
    limit: Duration,
    deadline: Instant,
    future: impl Future<Output = T>,
) -> Result<T, SshError> {
    let start = Instant::now();
    let until = deadline.min(start + limit);
    timeout_at(until, future).await.map_err(|_| SshError::Timeout { awaited, limit: until - start })
}

fn configuration(host_keys: &HostKeys) -> client::Config {
    client::Config {
        keepalive_interval: Some(KEEPALIVE_INTERVAL),
        keepalive_max: KEEPALIVE_MAX,
        preferred: Preferred {
            key: Cow::Owned(host_keys.prefer(&Preferred::DEFAULT.key)),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    }
}

/// The connection's socket. Dropping it ends the connection, whatever tasks still hold the other handle to it.
#[derive(Debug)]
pub(super) struct Socket(std::net::TcpStream);

impl Drop for Socket {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Why the connection ended, once it has.
#[derive(Clone, Debug, Default)]
pub(super) struct End(Arc<Mutex<Option<String>>>);

impl End {
    /// The reason, or `otherwise` if none was given.
    pub(super) fn reason(&self, otherwise: &str) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(|| otherwise.to_owned())
    }

    fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
}

/// What the SSH library asks of us.
#[derive(Debug)]
pub(super) struct Handler {
    host_keys: HostKeys,
    end: End,
}

impl From<russh::Error> for SshError {
    fn from(error: russh::Error) -> Self {
        Self::Handshake(error)
    }
}

impl client::Handler for Handler {
    type Error = SshError;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.host_keys.check(key)?,
            // We do not ask for one.
            PublicKeyOrCertificate::Certificate(_) => {
                let expected = "a plain key".to_owned();
                return Err(HostKeyMismatch { expected, offered: "a certificate".to_owned() }.into());
            }
        }
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<SshError>) -> Result<(), SshError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.end.set(info.message);
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.end.set(error.to_string());
                Err(error)
            }
        }
    }
}
