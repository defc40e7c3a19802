//! Conversations with a board on a byte stream: U-Boot, kernel and login, shell.
//!
//! A [`Dialog`] has no I/O and no clock of its own. [`drive`](crate::link::drive) runs one over a console.
//!
//! ```text
//! power on ─▶ Uboot ─▶ Login ─▶ Upload ─▶ (agent) ─▶ ShellPrompt ─▶ Shutdown
//! ```

mod exchange;
mod expired;
mod installed_agent;
mod kernel;
mod login;
mod monitor;
mod noise;
mod scan;
mod shell;
mod shutdown;
mod uboot;
mod upload;

pub use exchange::{Answer, Exchange, ExchangeSettings};
pub use expired::Expired;
pub(crate) use expired::LastOutput;
pub use installed_agent::InstalledAgent;
pub use kernel::{Complaint, ComplaintKind, Complaints, KernelFailure, KernelLog};
pub use login::{AutoLogin, LoggedIn, Login, LoginError, LoginLimits, LoginSettings};
pub use monitor::{Listening, MonitorSettings, OnResult};
pub(crate) use noise::Noise;
pub use scan::Scan;
pub use shell::{ShellError, ShellPrompt};
pub use shutdown::{Shutdown, ShutdownError};
pub use uboot::{Goal, Start, Uboot, UbootError, UbootLimits, UbootReport, UbootSettings};
pub use upload::{Checksum, Decoder, OnProgress, Upload, UploadError, UploadSettings, Uploaded};

use std::time::Instant;

/// One conversation on a byte stream, with no I/O and no clock of its own.
///
/// Legal order of calls: after every `handle_*`, take all of `poll_transmit`, then ask `poll_done`; when it is not
/// done, wait for input or until `poll_timeout`.
pub trait Dialog {
    /// What the conversation yields.
    type Done;
    /// Why it failed.
    type Error;
    /// The board sent `bytes`.
    fn handle_input(&mut self, now: Instant, bytes: &[u8]);
    /// The time that `poll_timeout` named has come.
    fn handle_timeout(&mut self, now: Instant);
    /// Takes the next bytes to send.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    /// When `handle_timeout` wants to be called, if nothing arrives before.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Takes the outcome, once there is one.
    fn poll_done(&mut self) -> Option<Result<Self::Done, Self::Error>>;
}
