//! Waiting for a shell prompt.

use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::{Dialog, Expired, Scan};
use crate::limit::Deadline;

/// Nudges while a prompt is awaited.
const NUDGES: u32 = 4;

/// Why a shell did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// Something did not come in time.
    #[error("{0}")]
    Expired(Expired),
}

/// Waits for one of a shell's prompts, nudging it with newlines when nothing comes.
#[derive(Debug)]
pub struct ShellPrompt {
    prompts: Vec<Regex>,
    since: Instant,
    deadline: Deadline,
    nudged: u32,
    nudge: bool,
    scan: Scan,
    outcome: Option<Result<String, ShellError>>,
    finished: bool,
}

impl ShellPrompt {
    /// Waits for any of `prompts` until `deadline`.
    pub fn new(prompts: Vec<Regex>, deadline: Deadline, now: Instant) -> Self {
        Self {
            prompts,
            since: now,
            deadline,
            nudged: 0,
            nudge: false,
            scan: Scan::default(),
            outcome: None,
            finished: false,
        }
    }

    fn timeout(&self) -> Duration {
        self.deadline.at.saturating_duration_since(self.since)
    }

    fn nudge_at(&self) -> Instant {
        self.since + self.timeout() / (NUDGES + 1) * (self.nudged + 1)
    }
}

impl Dialog for ShellPrompt {
    /// The text that matched.
    type Done = String;
    type Error = ShellError;

    fn handle_input(&mut self, _now: Instant, bytes: &[u8]) {
        self.scan.push(bytes);
        if !self.finished
            && let Some(found) = self.prompts.iter().find_map(|prompt| prompt.find(self.scan.pending()))
        {
            self.finished = true;
            self.outcome = Some(Ok(String::from_utf8_lossy(found.as_bytes()).into_owned()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline.at && !self.finished {
            self.finished = true;
            let (waited, limit) = (self.timeout(), &self.deadline.limit);
            let expired = Expired::new(awaited(&self.prompts), waited, limit, &self.scan);
            self.outcome = Some(Err(ShellError::Expired(expired)));
        } else if now >= self.nudge_at() {
            self.nudged += 1;
            self.nudge = true;
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.nudge).then(|| b"\n".to_vec())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (!self.finished).then(|| self.nudge_at().min(self.deadline.at))
    }

    fn poll_done(&mut self) -> Option<Result<String, ShellError>> {
        self.outcome.take()
    }
}

fn awaited(prompts: &[Regex]) -> String {
    let prompts: Vec<String> = prompts.iter().map(|prompt| format!("`{prompt}`")).collect();
    format!("shell prompt ({})", prompts.join(" or "))
}

#[cfg(test)]
mod tests;
