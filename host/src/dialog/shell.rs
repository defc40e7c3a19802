//! Conversations at a shell prompt: wait for it, run one short command.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::{Dialog, Expired, Scan};

/// Nudges while a prompt is awaited.
const NUDGES: u32 = 4;

// The command line that the tty echoes holds `$?`, the output a number: so the two cannot be mistaken. Between the
// characters of the echo an editing shell may put its own line breaks.
static STATUS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<status:(\d{1,3})>").expect("a constant pattern is valid"));
static ECHO_END: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\$[\r\n ]*\?[\r\n ]*>[\r\n ]*"?\r*\n"#).expect("a constant pattern is valid")
});

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
    timeout: Duration,
    nudged: u32,
    nudge: bool,
    scan: Scan,
    outcome: Option<Result<String, ShellError>>,
    finished: bool,
}

impl ShellPrompt {
    /// Waits for any of `prompts` for at most `timeout`.
    pub fn new(prompts: Vec<Regex>, timeout: Duration, now: Instant) -> Self {
        Self {
            prompts,
            since: now,
            timeout,
            nudged: 0,
            nudge: false,
            scan: Scan::default(),
            outcome: None,
            finished: false,
        }
    }

    fn nudge_at(&self) -> Instant {
        self.since + self.timeout / (NUDGES + 1) * (self.nudged + 1)
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
        if now >= self.since + self.timeout && !self.finished {
            self.finished = true;
            let expired = Expired::new(awaited(&self.prompts), self.timeout, &self.scan);
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
        (!self.finished).then(|| self.nudge_at().min(self.since + self.timeout))
    }

    fn poll_done(&mut self) -> Option<Result<String, ShellError>> {
        self.outcome.take()
    }
}

fn awaited(prompts: &[Regex]) -> String {
    let prompts: Vec<String> = prompts.iter().map(|prompt| format!("`{prompt}`")).collect();
    format!("shell prompt ({})", prompts.join(" or "))
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// Exit status, 0..=255.
    pub status: u8,
    /// What it printed, without escape sequences and carriage returns; at most the last 8 KiB.
    pub output: String,
}

/// Runs one short command at a shell prompt that has just come.
#[derive(Debug)]
pub struct ShellCommand {
    command: String,
    prompts: Vec<Regex>,
    since: Instant,
    timeout: Duration,
    line: Option<Vec<u8>>,
    scan: Scan,
    result: Option<CommandOutput>,
    outcome: Option<Result<CommandOutput, ShellError>>,
    finished: bool,
}

impl ShellCommand {
    /// Types `command`, one line of POSIX shell, and waits at most `timeout` for its end and the next prompt.
    pub fn new(command: &str, prompts: Vec<Regex>, timeout: Duration, now: Instant) -> Self {
        Self {
            command: command.to_owned(),
            prompts,
            since: now,
            timeout,
            line: Some(format!("{command}; echo \"<status:$?>\"\n").into_bytes()),
            scan: Scan::default(),
            result: None,
            outcome: None,
            finished: false,
        }
    }

    fn take_result(&mut self) {
        let pending = self.scan.pending();
        let Some(status) = STATUS.captures(pending) else { return };
        let end = status.get_match().start();
        let said = pending.get(..end).unwrap_or_default();
        let begin = ECHO_END.find(said).map_or(0, |echo| echo.end());
        let output = String::from_utf8_lossy(said.get(begin..).unwrap_or_default()).replace('\r', "");
        let number = status.get(1).map(|number| String::from_utf8_lossy(number.as_bytes()).parse());
        let status_end = status.get_match().end();
        let Some(Ok(status)) = number else { return };
        self.scan.advance(status_end);
        self.result = Some(CommandOutput { status, output });
    }
}

impl Dialog for ShellCommand {
    type Done = CommandOutput;
    type Error = ShellError;

    fn handle_input(&mut self, _now: Instant, bytes: &[u8]) {
        if self.finished {
            return;
        }
        self.scan.push(bytes);
        if self.result.is_none() {
            self.take_result();
        }
        if self.result.is_some() && self.prompts.iter().any(|prompt| prompt.is_match(self.scan.pending())) {
            self.finished = true;
            self.outcome = self.result.take().map(Ok);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.since + self.timeout && !self.finished {
            self.finished = true;
            let awaited = match self.result {
                None => format!("end of `{}`", self.command),
                Some(_) => format!("{} after `{}`", awaited(&self.prompts), self.command),
            };
            self.outcome = Some(Err(ShellError::Expired(Expired::new(awaited, self.timeout, &self.scan))));
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.line.take()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (!self.finished).then(|| self.since + self.timeout)
    }

    fn poll_done(&mut self) -> Option<Result<CommandOutput, ShellError>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests;
