//! From "Starting kernel" to a shell prompt: the kernel, the login, the first commands.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> AwaitingKernel
//!     AwaitingKernel --> AwaitingPrompt: kernel start message
//!     AwaitingPrompt --> AwaitingShell: login prompt / user name
//!     AwaitingShell --> AwaitingShell: password prompt / password
//!     AwaitingKernel --> LoginCommands: shell prompt
//!     AwaitingPrompt --> LoginCommands: shell prompt
//!     AwaitingShell --> LoginCommands: shell prompt
//!     LoginCommands --> LoginCommands: shell prompt / next command
//!     LoginCommands --> [*]: shell prompt after the last command
//! ```
//! From every state: a panic, a missing root, a reset or the job's failure message ends it.

mod settings;

pub use settings::{AutoLogin, LoggedIn, LoginError, LoginLimits, LoginSettings};

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::{Dialog, Expired, KernelLog, Scan};
use crate::limit::Deadline;

/// How long the console must be quiet before it is nudged.
const QUIET: Duration = Duration::from_secs(1);

/// How long nothing may follow a login prompt before it is answered: a getty that logs in by itself writes the name there
/// in a moment, and one that is typed as well would be the shell's first command.
const SETTLED: Duration = Duration::from_millis(300);

/// What a getty that logs in by itself writes behind the name.
const AUTOMATIC: &[u8] = b"(automatic login)";

static REFUSED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("Login (?:incorrect|timed out)").expect("a constant pattern is valid"));

/// The conversation; see the module's diagram.
#[derive(Debug)]
pub struct Login {
    settings: LoginSettings,
    state: State,
    since: Instant,
    /// Of the state.
    deadline: Deadline,
    /// Of the whole login.
    whole: Deadline,
    /// Of the shell's prompt, once it is the next to come.
    shell: Option<Deadline>,
    nudge_at: Option<Instant>,
    /// When the login prompt that what is pending follows is answered.
    answer_at: Option<Instant>,
    scan: Scan,
    kernel: KernelLog,
    transmit: VecDeque<Vec<u8>>,
    outcome: Option<Result<LoggedIn, LoginError>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitingKernel,
    AwaitingPrompt,
    AwaitingShell { password_sent: bool },
    LoginCommands { next: usize },
    Finished,
}

impl Login {
    /// Begins to wait, right after the boot loader's final message; ends by `deadline`.
    pub fn new(settings: LoginSettings, deadline: &Deadline, now: Instant) -> Self {
        let whole = deadline.of_part(now, settings.limits.whole.as_ref());
        let state =
            if settings.kernel_start.is_some() { State::AwaitingKernel } else { State::AwaitingPrompt };
        let mut login = Self {
            settings,
            state,
            since: now,
            deadline: whole.clone(),
            whole,
            shell: None,
            nudge_at: None,
            answer_at: None,
            scan: Scan::default(),
            kernel: KernelLog::default(),
            transmit: VecDeque::new(),
            outcome: None,
        };
        login.enter(state, now);
        login
    }

    fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
        self.kernel.expect_loader(self.settings.from_power_on && state == State::AwaitingKernel);
        if self.shell.is_none() && self.expects_shell() {
            self.shell = Some(self.whole.of_part(now, self.settings.limits.shell.as_ref()));
        }
        let outer = self.shell.as_ref().unwrap_or(&self.whole);
        self.deadline = outer.of_part(now, self.settings.limits.answer.as_ref());
        // A kernel is no shell: what is typed at it waits in the tty and confuses the login.
        let half = self.deadline.at.saturating_duration_since(now) / 2;
        self.nudge_at = (state != State::AwaitingKernel).then(|| now + half);
        self.answer_at = None;
    }

    /// Whether nothing comes before the shell's prompt any more.
    const fn expects_shell(&self) -> bool {
        match self.state {
            State::AwaitingKernel => false,
            State::AwaitingPrompt => self.settings.auto_login.is_none(),
            State::AwaitingShell { .. } | State::LoginCommands { .. } | State::Finished => true,
        }
    }

    fn fail(&mut self, error: LoginError) {
        self.state = State::Finished;
        self.outcome = Some(Err(error));
    }

    fn type_line(&mut self, line: &str) {
        self.transmit.push_back(format!("{line}\n").into_bytes());
    }

    /// Handles what the state makes of the output; false when it has to wait for more.
    fn step(&mut self, now: Instant) -> bool {
        if let State::AwaitingKernel = self.state
            && let Some(pattern) = &self.settings.kernel_start
            && self.scan.find(pattern).is_some()
        {
            self.enter(State::AwaitingPrompt, now);
            return true;
        }
        if let State::AwaitingShell { password_sent } = self.state {
            if REFUSED.is_match(self.scan.pending()) {
                self.fail(LoginError::Refused { last_output: self.scan.tail() });
                return false;
            }
            if self.answer_password(now, password_sent) {
                return true;
            }
        }
        let Some((at, prompt)) = self.shell_prompt() else { return self.answer_login(now, usize::MAX) };
        if self.answer_login(now, at) {
            return true;
        }
        self.scan.consume();
        self.handle_shell(now, prompt)
    }

    /// The first of the job's prompts in the output: its end and its text.
    fn shell_prompt(&self) -> Option<(usize, String)> {
        let pending = self.scan.pending();
        let found = self.settings.prompts.iter().filter_map(|prompt| prompt.find(pending));
        let first = found.min_by_key(regex::bytes::Match::start)?;
        Some((first.end(), String::from_utf8_lossy(first.as_bytes()).into_owned()))
    }

    /// Sends the user name if the login prompt came, before position `limit`.
    fn answer_login(&mut self, now: Instant, limit: usize) -> bool {
        let (State::AwaitingKernel | State::AwaitingPrompt, Some(login)) =
            (self.state, &self.settings.auto_login)
        else {
            return false;
        };
        let Some(answer_at) = self.answer_at else {
            let end = login.login_prompt.find(self.scan.pending()).map(|found| found.end());
            let Some(end) = end.filter(|end| *end <= limit) else { return false };
            self.scan.advance(end);
            self.answer_at = Some(now + SETTLED);
            return true;
        };
        let line = self.scan.pending().split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
        let is_answered = line.starts_with(login.username.as_bytes())
            || line.windows(AUTOMATIC.len()).any(|words| words == AUTOMATIC);
        if is_answered || limit != usize::MAX {
            // Somebody else has answered it, or there is a shell already.
            self.answer_at = None;
            return false;
        }
        if now < answer_at {
            return false;
        }
        if !line.is_empty() && login.username.as_bytes().starts_with(line) {
            // Somebody else is about to.
            self.answer_at = Some(now + SETTLED);
            return false;
        }
        let username = login.username.clone();
        self.type_line(&username);
        self.enter(State::AwaitingShell { password_sent: false }, now);
        true
    }

    fn answer_password(&mut self, now: Instant, already_sent: bool) -> bool {
        let Some(login) = &self.settings.auto_login else { return false };
        if already_sent || self.scan.find(&login.password_prompt).is_none() {
            return false;
        }
        let Some(password) = login.password.clone() else {
            self.fail(LoginError::PasswordWanted { username: login.username.clone() });
            return true;
        };
        self.type_line(&password);
        self.enter(State::AwaitingShell { password_sent: true }, now);
        true
    }

    fn handle_shell(&mut self, now: Instant, prompt: String) -> bool {
        let next = if let State::LoginCommands { next } = self.state { next } else { 0 };
        let command =
            self.settings.auto_login.as_ref().and_then(|login| login.login_commands.get(next)).cloned();
        match command {
            Some(command) => {
                self.type_line(&command);
                self.enter(State::LoginCommands { next: next + 1 }, now);
                true
            }
            None => {
                self.state = State::Finished;
                let complaints = self.kernel.take_complaints();
                self.outcome = Some(Ok(LoggedIn { prompt, complaints }));
                false
            }
        }
    }

    fn awaited(&self) -> String {
        let prompts = || {
            let prompts: Vec<String> =
                self.settings.prompts.iter().map(|prompt| format!("`{prompt}`")).collect();
            format!("shell prompt ({})", prompts.join(" or "))
        };
        let login = self.settings.auto_login.as_ref();
        match (self.state, login) {
            (State::AwaitingKernel, _) => match &self.settings.kernel_start {
                Some(pattern) => format!("kernel start message `{pattern}`"),
                None => "kernel".to_owned(),
            },
            (State::AwaitingPrompt, Some(login)) => {
                format!("login prompt `{}` or {}", login.login_prompt, prompts())
            }
            (State::AwaitingShell { password_sent: false }, Some(login)) => {
                format!("password prompt `{}` or {} after the user name", login.password_prompt, prompts())
            }
            (State::AwaitingShell { .. }, _) => format!("{} after the password", prompts()),
            (State::LoginCommands { next }, Some(login)) => {
                let command = login.login_commands.get(next.saturating_sub(1)).map_or("", String::as_str);
                format!("{} after login command `{command}`", prompts())
            }
            _ => prompts(),
        }
    }
}

impl Dialog for Login {
    type Done = LoggedIn;
    type Error = LoginError;

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if self.state == State::Finished {
            return;
        }
        self.scan.push(bytes);
        if let Some(nudge_at) = &mut self.nudge_at {
            *nudge_at = (*nudge_at).max(now + QUIET);
        }
        if let Some(failure) = self.kernel.push(bytes) {
            return self.fail(LoginError::Kernel { failure, last_output: self.scan.tail() });
        }
        if let Some(pattern) = &self.settings.failure_message
            && let Some(found) = pattern.find(self.scan.pending())
        {
            let found = String::from_utf8_lossy(found.as_bytes()).into_owned();
            return self.fail(LoginError::FailureMessage { found, last_output: self.scan.tail() });
        }
        while self.state != State::Finished && self.step(now) {}
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Finished {
            return;
        }
        if now >= self.deadline.at {
            let waited = self.deadline.at.saturating_duration_since(self.since);
            let expired = Expired::new(self.awaited(), waited, &self.deadline.limit, &self.scan);
            return self.fail(LoginError::Expired(expired));
        }
        if self.answer_at.is_some_and(|at| now >= at) {
            while self.state != State::Finished && self.step(now) {}
        }
        if self.nudge_at.is_some_and(|at| now >= at) {
            self.nudge_at = None;
            self.transmit.push_back(b"\n".to_vec());
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Finished {
            return None;
        }
        [Some(self.deadline.at), self.nudge_at, self.answer_at].into_iter().flatten().min()
    }

    fn poll_done(&mut self) -> Option<Result<LoggedIn, LoginError>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests;
