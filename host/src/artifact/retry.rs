//! Trying a download again while that makes sense, and never beyond its time.

use std::time::Duration;

use super::copy::Budget;
use super::error::Reason;

/// What `ssh` ends with if the connection fails.
const SSH_CONNECTION: i32 = 255;

/// What OpenSSH's client says where the next attempt would fare no better.
const FINAL: [&str; 3] = ["Host key verification failed", "Permission denied", "Bad configuration"];

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

impl Retry {
    /// Tries until it works, or the reason is one that will not pass.
    pub(super) fn run<T>(
        &self,
        budget: &Budget,
        mut attempt: impl FnMut() -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let mut delay = self.delay;
        for number in 1.. {
            let last = match attempt() {
                Ok(answer) => return Ok(answer),
                Err(reason) if !may_pass(&reason) => return Err(reason),
                Err(reason) => reason,
            };
            match budget.remaining() {
                Ok(left) if number < self.attempts && left > delay => std::thread::sleep(delay),
                Ok(_) if number == 1 => return Err(last),
                Ok(_) => return Err(Reason::Attempts { attempts: number, last: Box::new(last) }),
                Err(Reason::Timeout { waited, .. }) => {
                    return Err(Reason::Timeout { waited, last: Some(Box::new(last)) });
                }
                Err(reason) => return Err(reason),
            }
            delay *= 2;
        }
        Err(Reason::Cancelled)
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
        Reason::Remote { status, words } => {
            status.code() == Some(SSH_CONNECTION) && FINAL.iter().all(|word| !words.contains(word))
        }
        _ => false,
    }
}
