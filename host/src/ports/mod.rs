//! The ports that boards ask at, for a user who may not bind them: those below 1024.
//!
//! ```text
//! bind ─┬─ inherited   a socket that systemd has handed over at the start (sd_listen_fds(3))
//!       ├─ by ourselves
//!       └─ client ──Request──▶ service   `host-runner ports`, which may bind them, and hands over that one socket
//! ```
//!
//! Each is tried only when the one before has none, or is not permitted. What was tried is in the error
//! ([`LowPortError`]). Why it is so is in docs/design/ports.md.

mod bind;
mod client;
mod error;
mod inherited;
mod request;
mod service;

pub(crate) use bind::{Origin, bind_udp, listen_tcp, share_udp, try_port};
pub(crate) use error::{LowPortError, low_port_help};
pub(crate) use inherited::{has as is_inherited, take_over, take_service_socket};
pub(crate) use request::Protocol;
pub(crate) use service::serve;

/// Where the port service listens; the environment may name another socket for tests.
const SERVICE_SOCKET: &str = "/run/host-runner/ports.socket";

/// The variable of the environment that names another socket of a port service.
const SERVICE_SOCKET_VARIABLE: &str = "HOST_RUNNER_PORTS_SOCKET";
