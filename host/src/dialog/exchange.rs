//! One exchange on a line where somebody answers: a command is typed, and what must come is waited for.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> Typing
//!     Typing --> Typing: echo, or none for a while / next characters
//!     Typing --> Awaiting: all typed
//!     Awaiting --> AwaitingPrompt: success or failure
//!     Awaiting --> [*]: prompt
//!     AwaitingPrompt --> [*]: prompt
//! ```
//!
//! Source: LAVA's interactive tests. There a command's own echo can be taken for its answer, and a text that is still
//! coming for all of it; not here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::{Dialog, Expired, Scan};
use crate::limit::Deadline;

/// Characters on the way at a time: less than the receive FIFO of common UARTs (16).
const GROUP: usize = 12;

/// How long an echo is waited for; a password has none.
const ECHO_LIMIT: Duration = Duration::from_millis(300);

/// How long nothing may follow a text at the end of the output before it counts: it may go on.
const SETTLED: Duration = Duration::from_millis(200);

/// What is typed, and what is waited for.
#[derive(Clone, Debug)]
pub struct ExchangeSettings {
    /// What is typed, a newline behind it; nothing is without it.
    pub command: Option<String>,
    /// Pause after each character.
    pub character_delay: Duration,
    /// Whether the first line that comes is passed over, whatever it is.
    pub discard_echo: bool,
    /// The prompts that end the exchange: on the last line.
    pub prompts: Vec<Regex>,
    /// Texts that mean success; without any, the prompt does.
    pub successes: Vec<Regex>,
    /// Texts that mean failure.
    pub failures: Vec<Regex>,
    /// Whether the prompt is waited for behind one of these texts.
    pub wait_for_prompt: bool,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The prompt came, and nothing else was to come before it.
    Prompt,
    /// A text that means success came; its named groups with what they matched.
    Success(Vec<(String, String)>),
    /// The failure of this number came, with this text.
    Failure(usize, String),
    /// The prompt came, and none of the texts that mean success before it.
    Unanswered,
}

/// The exchange; see the module's diagram.
#[derive(Debug)]
pub struct Exchange {
    settings: ExchangeSettings,
    since: Instant,
    deadline: Deadline,
    scan: Scan,
    state: State,
    /// When what is there counts although it ends the output.
    settled_at: Option<Instant>,
    transmit: VecDeque<Vec<u8>>,
    outcome: Option<Result<Answer, Expired>>,
}

#[derive(Debug)]
enum State {
    /// So many characters were sent, the last of them then.
    Typing {
        sent: usize,
        at: Instant,
    },
    Awaiting {
        past_echo: bool,
    },
    AwaitingPrompt(Answer),
    Finished,
}

impl Exchange {
    /// Begins to type at once; ends by `deadline`.
    pub fn new(settings: ExchangeSettings, deadline: Deadline, now: Instant) -> Self {
        let state = match &settings.command {
            Some(_) => State::Typing { sent: 0, at: now },
            None => State::Awaiting { past_echo: !settings.discard_echo },
        };
        let mut exchange = Self {
            settings,
            since: now,
            deadline,
            scan: Scan::default(),
            state,
            settled_at: None,
            transmit: VecDeque::new(),
            outcome: None,
        };
        exchange.type_on(now);
        exchange
    }

    fn command(&self) -> &[u8] {
        self.settings.command.as_deref().unwrap_or_default().as_bytes()
    }

    /// Types the next characters once those before them have come back, or have not for a while.
    fn type_on(&mut self, now: Instant) {
        let State::Typing { sent, at } = self.state else { return };
        let line = self.command();
        if sent > 0 && now < self.type_at(sent, at) {
            return;
        }
        let group = if self.settings.character_delay.is_zero() { GROUP } else { 1 };
        let end = (sent + group).min(line.len());
        let next = line.get(sent..end).unwrap_or_default().to_vec();
        if next.is_empty() {
            self.transmit.push_back(b"\n".to_vec());
            self.state = State::Awaiting { past_echo: false };
            return;
        }
        self.transmit.push_back(next);
        self.state = State::Typing { sent: end, at: now };
    }

    /// When the characters behind the first `sent`, of which the last went `at` that time, are typed.
    fn type_at(&self, sent: usize, at: Instant) -> Instant {
        let typed = self.command().get(..sent).unwrap_or_default();
        let echoed = self.scan.pending().trim_ascii().ends_with(typed.trim_ascii());
        at + if echoed { self.settings.character_delay } else { ECHO_LIMIT }
    }

    /// Passes over the command's echo, and over the first line if that is wanted; false while it may still come. What the
    /// board said before the echo is none of the answer: the end of what it was doing, and messages of a kernel.
    fn pass_echo(&mut self, settled: bool) -> bool {
        let command = self.command().trim_ascii();
        let pending = self.scan.pending();
        let mut end = 0;
        for line in pending.split_inclusive(|&byte| byte == b'\n') {
            end += line.len();
            if line.ends_with(b"\n") && !command.is_empty() && line.trim_ascii().ends_with(command) {
                self.scan.advance(end);
                return true;
            }
        }
        // There is none if nothing more comes. A password has none, and a prompt may come at once.
        let last = pending.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        let is_passed = settled || !may_become_echo(last.trim_ascii(), command);
        match pending.iter().position(|&byte| byte == b'\n') {
            Some(first) if self.settings.discard_echo && is_passed => {
                self.scan.advance(first + 1);
                true
            }
            None if self.settings.discard_echo => settled,
            _ => is_passed,
        }
    }

    fn look(&mut self, now: Instant) {
        let settled = self.settled_at.is_some_and(|at| now >= at);
        if let State::Awaiting { past_echo: false } = self.state {
            let past_echo = self.pass_echo(settled);
            self.state = State::Awaiting { past_echo };
        }
        if let State::Awaiting { past_echo: true } = self.state {
            self.look_for_answer(settled);
        }
        if let State::AwaitingPrompt(answer) = &self.state
            && let Some(end) = self.prompt(settled)
        {
            let answer = answer.clone();
            self.scan.advance(end);
            self.finish(answer);
        }
    }

    fn look_for_answer(&mut self, settled: bool) {
        let found = self.first_text(settled);
        let prompt = self.prompt(settled);
        let Some((end, answer)) = found else {
            if let Some(end) = prompt {
                self.scan.advance(end);
                let unanswered = !self.settings.successes.is_empty();
                self.finish(if unanswered { Answer::Unanswered } else { Answer::Prompt });
            }
            return;
        };
        self.scan.advance(end);
        if self.settings.wait_for_prompt {
            self.state = State::AwaitingPrompt(answer);
        } else {
            self.finish(answer);
        }
    }

    /// The first text that means something: its end, and what it means. One at the very end of the output counts once that
    /// has `settled`.
    fn first_text(&self, settled: bool) -> Option<(usize, Answer)> {
        let pending = self.scan.pending();
        let is_whole = |end: usize| settled || end < pending.len();
        let failures = self.settings.failures.iter().enumerate().filter_map(|(index, pattern)| {
            let found = pattern.find(pending).filter(|found| is_whole(found.end()))?;
            Some((found.start(), found.end(), Answer::Failure(index, text(found.as_bytes()))))
        });
        let successes = self.settings.successes.iter().filter_map(|pattern| {
            let found = pattern.captures(pending)?;
            let whole = found.get(0).filter(|whole| is_whole(whole.end()))?;
            let groups = pattern
                .capture_names()
                .flatten()
                .filter_map(|name| Some((name.to_owned(), text(found.name(name)?.as_bytes()))));
            Some((whole.start(), whole.end(), Answer::Success(groups.collect())))
        });
        let first = failures.chain(successes).min_by_key(|(start, ..)| *start)?;
        Some((first.1, first.2))
    }

    /// Where a prompt on the last line ends. Nothing but blanks stands behind it, or what may be its own end once the output
    /// has `settled`; with the command behind it, it is the prompt at which that was typed.
    fn prompt(&self, settled: bool) -> Option<usize> {
        let pending = self.scan.pending();
        let start = pending.iter().rposition(|&byte| byte == b'\n').map_or(0, |index| index + 1);
        let line = pending.get(start..).unwrap_or_default();
        let command = self.command().trim_ascii();
        let is_prompt = |prompt: &Regex| {
            prompt.find_iter(line).last().is_some_and(|found| {
                let rest = line.get(found.end()..).unwrap_or_default().trim_ascii();
                rest.is_empty() || settled && !is_echo(rest, command)
            })
        };
        self.settings.prompts.iter().any(is_prompt).then_some(pending.len())
    }

    fn finish(&mut self, answer: Answer) {
        self.state = State::Finished;
        self.outcome = Some(Ok(answer));
    }

    fn awaited(&self) -> String {
        let patterns = |patterns: &[Regex]| {
            patterns.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(" or ")
        };
        let prompts = patterns(&self.settings.prompts);
        let awaited = match &self.state {
            State::AwaitingPrompt(_) => format!("prompt {prompts}"),
            _ if self.settings.successes.is_empty() => format!("prompt {prompts}"),
            _ => format!("{} and no prompt {prompts}", patterns(&self.settings.successes)),
        };
        match &self.settings.command {
            Some(command) => format!("{awaited} after `{command}`"),
            None => awaited,
        }
    }
}

/// Whether `text` is the echo of the `command`, or the beginning of it.
fn is_echo(text: &[u8], command: &[u8]) -> bool {
    !command.is_empty() && (text.ends_with(command) || command.starts_with(text))
}

/// Whether `line` ends with the echo of the `command`, as far as that has come.
fn may_become_echo(line: &[u8], command: &[u8]) -> bool {
    (1..=command.len()).any(|len| command.get(..len).is_some_and(|begun| line.ends_with(begun)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Dialog for Exchange {
    type Done = Answer;
    type Error = Expired;

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.scan.push(bytes);
        self.settled_at = Some(now + SETTLED);
        self.type_on(now);
        self.look(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.state, State::Finished) {
            return;
        }
        self.type_on(now);
        self.look(now);
        if self.settled_at.is_some_and(|at| now >= at) {
            self.settled_at = None;
        }
        if now >= self.deadline.at && !matches!(self.state, State::Finished) {
            let waited = self.deadline.at.saturating_duration_since(self.since);
            let expired = Expired::new(self.awaited(), waited, &self.deadline.limit, &self.scan);
            self.state = State::Finished;
            self.outcome = Some(Err(expired));
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let typing = match self.state {
            State::Typing { sent, at } => Some(self.type_at(sent, at)),
            State::Finished => return None,
            State::Awaiting { .. } | State::AwaitingPrompt(_) => None,
        };
        [Some(self.deadline.at), self.settled_at, typing].into_iter().flatten().min()
    }

    fn poll_done(&mut self) -> Option<Result<Answer, Expired>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests;
