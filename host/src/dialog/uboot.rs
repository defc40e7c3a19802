//! The conversation with U-Boot: stop its autoboot, type commands, see the kernel start.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> AwaitingAutoboot: Start#colon;#colon;PowerOn
//!     AwaitingAutoboot --> AwaitingPrompt: autoboot prompt / interrupt
//!     AwaitingAutoboot --> Typing: prompt
//!     AwaitingPrompt --> AwaitingPrompt: 1 s / interrupt again
//!     AwaitingPrompt --> Typing: prompt
//!     [*] --> Typing: Start#colon;#colon;Prompt
//!     Typing --> Typing: echo / next characters
//!     Typing --> Clearing: echo differs or is missing / Ctrl-C
//!     Clearing --> Typing: prompt / type again, slowly
//!     Typing --> Running: whole line echoed / newline
//!     Running --> Typing: prompt, and silence if text is before it / next command
//!     Typing --> AwaitingAutoboot: banner
//!     Clearing --> AwaitingAutoboot: banner
//!     Running --> AwaitingAutoboot: banner, a few times
//!     Running --> [*]: final message, or prompt after the last command
//! ```
//!
//! Source: LAVA.md's sources for `method: u-boot` (`bootloader-interrupt`, `bootloader-commands`); U-Boot's
//! `common/autoboot.c` for the prompt, `CONFIG_SYS_CBSIZE` for the longest line.

mod error;
mod settings;
mod typing;

pub use error::UbootError;
pub use settings::{Goal, Start, UbootLimits, UbootReport, UbootSettings};

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use typing::{Progress, Typing};

use super::scan::PromptPlace;
use super::{Dialog, Expired, Scan};
use crate::limit::{Deadline, Limit};

/// How long the prompt is waited for after an interrupt before interrupting again.
const INTERRUPT_AGAIN: Duration = Duration::from_secs(1);
/// How long the prompt is waited for after Ctrl-C.
const CLEAR_LIMIT: Duration = Duration::from_secs(5);
/// How often a command line is typed at most.
const TYPING_ATTEMPTS: u32 = 3;
/// How long nothing more comes behind what looks like a prompt but has text before it in its line: `crc32` prints `==> `,
/// and the rest of its line may come in the next read; other commands do not end their last line.
const SETTLED: Duration = Duration::from_millis(500);
const CONTROL_C: u8 = 0x03;

static BANNER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^U-Boot (?<spl>SPL )?20\d\d\.\d\d").expect("a constant pattern is valid")
});

/// The conversation with U-Boot; see the module's diagram.
#[derive(Debug)]
pub struct Uboot {
    settings: UbootSettings,
    commands: Vec<String>,
    goal: Goal,
    state: State,
    wait: Wait,
    scan: Scan,
    banners: Banners,
    transmit: VecDeque<Vec<u8>>,
    outcome: Option<Result<UbootReport, UbootError>>,
}

#[derive(Debug)]
enum State {
    AwaitingAutoboot,
    AwaitingPrompt {
        interrupt_at: Instant,
    },
    Typing {
        index: usize,
        attempt: u32,
        typing: Typing,
    },
    Clearing {
        index: usize,
        attempt: u32,
    },
    /// At `settled` there is a prompt behind text, unless more comes.
    Running {
        index: usize,
        settled: Option<Instant>,
    },
    Finished,
}

/// What bounds the state.
#[derive(Debug)]
struct Wait {
    since: Instant,
    deadline: Deadline,
    /// Of the interrupt or of the commands.
    part: Deadline,
    /// Of the conversation.
    whole: Deadline,
}

impl Wait {
    /// Begins a part of the conversation.
    fn begin_part(&mut self, now: Instant, limit: Option<&Limit>) {
        self.part = self.whole.of_part(now, limit);
        self.begin(now, None);
    }

    /// Begins a single wait of the part.
    fn begin(&mut self, now: Instant, limit: Option<&Limit>) {
        self.since = now;
        self.deadline = self.part.of_part(now, limit);
    }
}

/// How often the board started, by its banners; a start prints one of each, or the second alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Banners {
    spl: u32,
    main: u32,
}

impl Banners {
    fn resets(self) -> u32 {
        self.spl.max(self.main).saturating_sub(1)
    }
}

impl Uboot {
    /// Begins the conversation at `start`; it is done when `commands` were typed and `goal` is reached, or at
    /// `deadline`.
    ///
    /// # Errors
    /// [`UbootError::LineTooLong`] and [`UbootError::NotPrintable`] for commands that U-Boot could not take.
    pub fn new(
        settings: UbootSettings,
        commands: Vec<String>,
        start: Start,
        goal: Goal,
        deadline: Deadline,
        now: Instant,
    ) -> Result<Self, UbootError> {
        for command in &commands {
            settings.check(command)?;
        }
        let mut uboot = Self {
            settings,
            commands,
            goal,
            state: State::AwaitingAutoboot,
            wait: Wait { since: now, deadline: deadline.clone(), part: deadline.clone(), whole: deadline },
            scan: Scan::default(),
            banners: Banners::default(),
            transmit: VecDeque::new(),
            outcome: None,
        };
        if start == Start::Prompt {
            uboot.banners = Banners { spl: 1, main: 1 };
            uboot.enter_commands(now);
        } else {
            uboot.enter_boot(now);
        }
        Ok(uboot)
    }

    /// The command at `index`; the conversation never goes past the end of the list.
    fn command(&self, index: usize) -> &str {
        self.commands.get(index).map_or("", String::as_str)
    }

    fn finish(&mut self, outcome: Result<UbootReport, UbootError>) {
        self.state = State::Finished;
        self.outcome = Some(outcome);
    }

    fn succeed(&mut self) {
        self.finish(Ok(UbootReport { resets: self.banners.resets() }));
    }

    fn expire(&mut self) {
        let waited = self.wait.deadline.at.saturating_duration_since(self.wait.since);
        let expired = Expired::new(self.awaited(), waited, &self.wait.deadline.limit, &self.scan);
        self.finish(Err(UbootError::Expired(expired)));
    }

    fn awaited(&self) -> String {
        let prompt = &self.settings.prompt;
        match self.state {
            State::AwaitingAutoboot => format!("autoboot prompt `{}`", self.settings.autoboot_prompt),
            State::AwaitingPrompt { .. } => format!("U-Boot prompt `{prompt}` after the interrupt"),
            State::Typing { index, .. } => format!("echo of `{}`", self.command(index)),
            State::Clearing { .. } => format!("U-Boot prompt `{prompt}` after Ctrl-C"),
            State::Running { index, .. } => {
                let last = index + 1 == self.commands.len() && self.goal == Goal::Kernel;
                let awaited = if last { &self.settings.final_message } else { prompt };
                format!("`{awaited}` after `{}`", self.command(index))
            }
            State::Finished => "end".to_owned(),
        }
    }

    /// The board has just started: its autoboot is to be stopped.
    fn enter_boot(&mut self, now: Instant) {
        self.state = State::AwaitingAutoboot;
        self.wait.begin_part(now, self.settings.limits.interrupt.as_ref());
        self.wait.begin(now, self.settings.limits.interrupt_answer.as_ref());
    }

    /// At U-Boot's first prompt.
    fn enter_commands(&mut self, now: Instant) {
        self.wait.begin_part(now, self.settings.limits.commands.as_ref());
        self.enter_command(now, 0, 0);
    }

    /// At the prompt: types the command at `index`, or ends.
    fn enter_command(&mut self, now: Instant, index: usize, attempt: u32) {
        self.scan.consume();
        match self.commands.get(index) {
            None if self.goal == Goal::Prompt => self.succeed(),
            None => {
                let command = self.commands.last().cloned().unwrap_or_default();
                self.finish(Err(UbootError::FellBack { command, last_output: self.scan.tail() }));
            }
            Some(command) => {
                let typing = Typing::new(command, self.settings.character_delay, attempt > 0, now);
                self.state = State::Typing { index, attempt, typing };
                self.wait.begin(now, None);
                self.type_on(now);
            }
        }
    }

    fn type_on(&mut self, now: Instant) {
        let State::Typing { index, attempt, typing } = &mut self.state else { return };
        let (index, attempt) = (*index, *attempt);
        match typing.proceed(now, self.scan.pending()) {
            Progress::Wait => {}
            Progress::Send(bytes) => self.transmit.push_back(bytes),
            Progress::Complete => {
                self.transmit.push_back(b"\n".to_vec());
                self.scan.consume();
                self.state = State::Running { index, settled: None };
                self.wait.begin(now, self.settings.limits.command_answer.as_ref());
            }
            Progress::Failed { .. } if attempt + 1 < TYPING_ATTEMPTS => {
                self.transmit.push_back(vec![CONTROL_C]);
                self.state = State::Clearing { index, attempt: attempt + 1 };
                self.wait.begin(now, Some(&Limit::new(CLEAR_LIMIT, "what Ctrl-C may take")));
            }
            Progress::Failed { sent, echo } => {
                let error = UbootError::Echo { command: self.command(index).to_owned(), sent, echo };
                self.finish(Err(error));
            }
        }
    }

    /// Counts banners since the mark; true when the board has started again too often.
    fn count_banners(&mut self) -> bool {
        let mut end = 0;
        for banner in BANNER.captures_iter(self.scan.pending()) {
            match banner.name("spl") {
                Some(_) => self.banners.spl += 1,
                None => self.banners.main += 1,
            }
            end = banner.get_match().end();
        }
        self.scan.advance(end);
        self.banners.resets() > self.settings.max_resets
    }

    /// Goes back to the autoboot prompt if the board has started again; true if so.
    fn handle_restart(&mut self, now: Instant) -> bool {
        let before = self.banners;
        if self.count_banners() {
            self.reset_loop();
            return true;
        }
        if self.banners == before {
            return false;
        }
        self.enter_boot(now);
        self.handle_boot_output(now);
        true
    }

    fn reset_loop(&mut self) {
        let error = UbootError::ResetLoop { resets: self.banners.resets(), last_output: self.scan.tail() };
        self.finish(Err(error));
    }

    fn handle_boot_output(&mut self, now: Instant) {
        if self.count_banners() {
            return self.reset_loop();
        }
        if self.settings.final_message.is_match(self.scan.pending()) {
            return self.finish(Err(UbootError::Missed { last_output: self.scan.tail() }));
        }
        let interrupted = matches!(self.state, State::AwaitingPrompt { .. });
        if self.scan.find(&self.settings.autoboot_prompt).is_some() {
            self.transmit.push_back(self.settings.interrupt.clone());
            if !interrupted {
                self.wait.begin(now, self.settings.limits.interrupt_answer.as_ref());
            }
            self.state = State::AwaitingPrompt { interrupt_at: now + INTERRUPT_AGAIN };
        } else if self.scan.at_prompt(&self.settings.prompt) {
            self.enter_commands(now);
        }
    }

    fn handle_command_output(&mut self, now: Instant, index: usize) {
        let pending = self.scan.pending_lines();
        if let Some((line, matched)) = self.settings.error_in(pending) {
            let command = self.command(index).to_owned();
            let last_output = self.scan.tail();
            return self.finish(Err(UbootError::Command { command, line, matched, last_output }));
        }
        if self.goal == Goal::Kernel && self.scan.find(&self.settings.final_message).is_some() {
            return self.succeed();
        }
        // `version` prints the banner itself.
        if !self.command(index).starts_with("version") && self.handle_restart(now) {
            return;
        }
        match self.scan.prompt_at_end(&self.settings.prompt) {
            Some(PromptPlace::OwnLine) => self.enter_command(now, index + 1, 0),
            Some(PromptPlace::BehindText) => {
                self.state = State::Running { index, settled: Some(now + SETTLED) };
            }
            None => self.state = State::Running { index, settled: None },
        }
    }
}

impl Dialog for Uboot {
    type Done = UbootReport;
    type Error = UbootError;

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.scan.push(bytes);
        let typing = matches!(self.state, State::Typing { .. } | State::Clearing { .. });
        if typing && self.handle_restart(now) {
            return;
        }
        match self.state {
            State::AwaitingAutoboot | State::AwaitingPrompt { .. } => self.handle_boot_output(now),
            State::Typing { .. } => self.type_on(now),
            State::Clearing { index, attempt } => {
                if self.scan.at_prompt(&self.settings.prompt) {
                    self.enter_command(now, index, attempt);
                }
            }
            State::Running { index, .. } => self.handle_command_output(now, index),
            State::Finished => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Finished => {}
            State::Running { index, settled: Some(at) } if now >= at.min(self.wait.deadline.at) => {
                self.enter_command(now, index + 1, 0);
            }
            _ if now >= self.wait.deadline.at => self.expire(),
            State::AwaitingPrompt { interrupt_at } if now >= interrupt_at => {
                self.transmit.push_back(self.settings.interrupt.clone());
                self.state = State::AwaitingPrompt { interrupt_at: now + INTERRUPT_AGAIN };
            }
            State::Typing { .. } => self.type_on(now),
            _ => {}
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let end = self.wait.deadline.at;
        match &self.state {
            State::AwaitingPrompt { interrupt_at } => Some(end.min(*interrupt_at)),
            State::Typing { typing, .. } => Some(end.min(typing.deadline())),
            State::Running { settled: Some(at), .. } => Some(end.min(*at)),
            State::AwaitingAutoboot | State::Clearing { .. } | State::Running { settled: None, .. } => {
                Some(end)
            }
            State::Finished => None,
        }
    }

    fn poll_done(&mut self) -> Option<Result<UbootReport, UbootError>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests;
