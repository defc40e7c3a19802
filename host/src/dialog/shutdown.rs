//! A soft reset: ask the running system to reboot, and see it go down.

use std::time::Instant;

use regex::bytes::Regex;

use super::{Dialog, Expired, KernelFailure, KernelLog, Scan};
use crate::limit::Deadline;

/// Why a board did not go down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShutdownError {
    /// The shutdown message did not come in time.
    #[error("{0}")]
    Expired(Expired),
}

/// Types a reboot command and waits for the shutdown message, or for the boot loader.
///
/// Source: LAVA's `soft_reboot` and the boot parameter `shutdown-message`.
#[derive(Debug)]
pub struct Shutdown {
    command: Option<String>,
    message: Regex,
    since: Instant,
    deadline: Option<Deadline>,
    scan: Scan,
    kernel: KernelLog,
    outcome: Option<Result<(), ShutdownError>>,
}

impl Shutdown {
    /// Types `command` and waits for `message` until `deadline`.
    pub fn new(command: &str, message: Regex, deadline: Deadline, now: Instant) -> Self {
        Self {
            command: Some(command.to_owned()),
            message,
            since: now,
            deadline: Some(deadline),
            scan: Scan::default(),
            kernel: KernelLog::default(),
            outcome: None,
        }
    }

    fn finish(&mut self, outcome: Result<(), ShutdownError>) {
        self.deadline = None;
        self.outcome = Some(outcome);
    }
}

impl Dialog for Shutdown {
    type Done = ();
    type Error = ShutdownError;

    fn handle_input(&mut self, _now: Instant, bytes: &[u8]) {
        if self.deadline.is_none() {
            return;
        }
        self.scan.push(bytes);
        let reset = matches!(self.kernel.push(bytes), Some(KernelFailure::Reset(_)));
        if reset || self.message.is_match(self.scan.pending()) {
            self.finish(Ok(()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(deadline) = self.deadline.as_ref().filter(|deadline| now >= deadline.at) {
            let awaited = format!("shutdown message `{}`", self.message);
            let waited = deadline.at.saturating_duration_since(self.since);
            let expired = Expired::new(awaited, waited, &deadline.limit, &self.scan);
            self.finish(Err(ShutdownError::Expired(expired)));
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.command.take().map(|command| format!("{command}\n").into_bytes())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.as_ref().map(|deadline| deadline.at)
    }

    fn poll_done(&mut self) -> Option<Result<(), ShutdownError>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::Limit;

    fn shutdown(now: Instant) -> Shutdown {
        let message = Regex::new("reboot: Restarting system").unwrap();
        let limit = Limit::new(Duration::from_secs(60), "a test");
        Shutdown::new("reboot", message, limit.after(now), now)
    }

    #[test]
    fn the_shutdown_message_is_seen_byte_by_byte() {
        let now = Instant::now();
        let mut dialog = shutdown(now);
        assert_eq!(dialog.poll_transmit().unwrap(), b"reboot\n");
        for byte in b"reboot\r\n[  30.1] reboot: Restarting system" {
            assert_eq!(dialog.poll_done(), None);
            dialog.handle_input(now, &[*byte]);
        }
        assert_eq!(dialog.poll_done(), Some(Ok(())));
        assert_eq!(dialog.poll_timeout(), None);
    }

    #[test]
    fn a_boot_loader_means_that_the_board_went_down() {
        let now = Instant::now();
        let mut dialog = shutdown(now);
        dialog.handle_input(now, b"\r\nU-Boot SPL 2023.01 (Jan 2023)\r\n");
        assert_eq!(dialog.poll_done(), Some(Ok(())));
    }

    #[test]
    fn a_board_that_stays_up_is_reported_with_its_last_output() {
        let now = Instant::now();
        let mut dialog = shutdown(now);
        dialog.handle_input(now, b"sh: reboot: not found\r\n");
        dialog.handle_timeout(now + Duration::from_secs(60));
        let error = dialog.poll_done().unwrap().unwrap_err().to_string();
        assert!(
            error.contains(
                "no shutdown message `reboot: Restarting system` within 60 s (at most 60 s: a test)"
            ),
            "{error}"
        );
        assert!(error.contains("sh: reboot: not found"), "{error}");
    }
}
