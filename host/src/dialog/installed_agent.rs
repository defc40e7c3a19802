//! Asking a shell which agent the board has of its own.

use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::{Dialog, Expired, Scan, ShellError};
use crate::agent_install::Build;
use crate::limit::Deadline;

/// Times that the question is asked: a message of the kernel in the answer makes it unreadable.
const TRIES: u32 = 3;

/// What the line with the exit code begins with. The echo of the command has no number there.
const END: &str = "lava-agent-asked ";

/// Asks for the agent's version at a shell prompt, and waits for the prompt behind the answer.
#[derive(Debug)]
pub struct InstalledAgent {
    program: String,
    prompts: Vec<Regex>,
    since: Instant,
    deadline: Deadline,
    tries: u32,
    ask: bool,
    /// The answer, once it has come; the prompt is waited for then.
    answer: Option<Option<Build>>,
    scan: Scan,
    outcome: Option<Result<Option<Build>, ShellError>>,
    finished: bool,
}

impl InstalledAgent {
    /// Asks `program` at one of `prompts`, which has just come; until `deadline`.
    pub fn new(program: &str, prompts: Vec<Regex>, deadline: Deadline, now: Instant) -> Self {
        Self {
            program: program.to_owned(),
            prompts,
            since: now,
            deadline,
            tries: 1,
            ask: true,
            answer: None,
            scan: Scan::default(),
            outcome: None,
            finished: false,
        }
    }

    fn timeout(&self) -> Duration {
        self.deadline.at.saturating_duration_since(self.since)
    }

    fn next_try(&self) -> Instant {
        self.since + self.timeout() / TRIES * self.tries
    }

    /// Looks for the two lines of an answer: the agent's, if there is one, and the one with the exit code.
    fn take_answer(&mut self) {
        let text = String::from_utf8_lossy(self.scan.pending_lines()).into_owned();
        let mut build = None;
        for line in text.lines().map(|line| line.trim_matches('\r')) {
            if let Some(code) = line.strip_prefix(END).and_then(|code| code.parse::<u8>().ok()) {
                // An agent that ran and is not understood is asked again.
                if code != 0 || build.is_some() {
                    self.answer = Some(build.filter(|_| code == 0));
                }
                self.scan.advance(self.scan.pending_lines().len());
                return;
            }
            build = Build::parse(line).or(build);
        }
    }

    fn end(&mut self, outcome: Result<Option<Build>, ShellError>) {
        self.finished = true;
        self.outcome = Some(outcome);
    }
}

impl Dialog for InstalledAgent {
    /// The agent's build; `None` if the board has none, or one that does not run.
    type Done = Option<Build>;
    type Error = ShellError;

    fn handle_input(&mut self, _now: Instant, bytes: &[u8]) {
        self.scan.push(bytes);
        if self.finished {
            return;
        }
        if self.answer.is_none() {
            self.take_answer();
        }
        if self.answer.is_some() && self.prompts.iter().any(|prompt| prompt.is_match(self.scan.pending())) {
            let answer = self.answer.take().flatten();
            self.end(Ok(answer));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline.at && !self.finished {
            let awaited = match self.answer {
                None => "answer of the shell to the question for an installed agent",
                Some(_) => "shell prompt behind the installed agent's answer",
            };
            let expired = Expired::new(awaited, self.timeout(), &self.deadline.limit, &self.scan);
            self.end(Err(ShellError::Expired(expired)));
        } else if now >= self.next_try() {
            self.tries += 1;
            self.ask = self.answer.is_none();
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let command = || format!("{} --version; echo \"{END}$?\"\n", self.program);
        std::mem::take(&mut self.ask).then(|| command().into_bytes())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (!self.finished).then(|| self.next_try().min(self.deadline.at))
    }

    fn poll_done(&mut self) -> Option<Result<Option<Build>, ShellError>> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent_install::AGENT;
    use crate::limit::Limit;

    const ECHO: &str = "/usr/lib/lava-agent/bin/lava-agent --version; echo \"lava-agent-asked $?\"\r\n";

    fn dialog(now: Instant) -> InstalledAgent {
        let prompts = vec![Regex::new("root@debian:").unwrap()];
        let mut dialog =
            InstalledAgent::new(AGENT, prompts, Limit::new(Duration::from_secs(9), "a test").after(now), now);
        assert_eq!(dialog.poll_transmit().unwrap(), ECHO.replace('\r', "").as_bytes());
        dialog
    }

    fn answer(text: &str) -> Option<Result<Option<Build>, ShellError>> {
        let now = Instant::now();
        let mut dialog = dialog(now);
        for byte in text.bytes() {
            assert!(dialog.poll_done().is_none(), "{text:?} is not over");
            dialog.handle_input(now, &[byte]);
        }
        dialog.poll_done()
    }

    #[test]
    fn the_agent_is_told_by_its_own_line_and_the_prompt_behind_it_is_waited_for() {
        let text = format!("{ECHO}lava-agent 0.1.0 armv7 protocol 1-1\r\nlava-agent-asked 0\r\nroot@debian:");
        let build = answer(&text).unwrap().unwrap().unwrap();
        assert_eq!((build.version.as_str(), build.arch.as_str(), build.protocol), ("0.1.0", "armv7", [1, 1]));
        assert_eq!(answer(text.trim_end_matches("root@debian:")), None);
    }

    #[test]
    fn a_board_without_an_agent_says_so_in_any_words() {
        for said in ["-sh: /usr/lib/lava-agent/bin/lava-agent: not found\r\n", ""] {
            let text = format!("{ECHO}{said}lava-agent-asked 127\r\nroot@debian:");
            assert_eq!(answer(&text), Some(Ok(None)), "{text}");
        }
    }

    #[test]
    fn an_answer_that_the_kernel_has_written_into_is_asked_for_again() {
        let now = Instant::now();
        let mut dialog = dialog(now);
        let broken =
            format!("{ECHO}lava-ag[   12.5] usb 1-1: new device\r\nent 0.1.0 armv7 protocol 1-1\r\n");
        dialog.handle_input(now, broken.as_bytes());
        dialog.handle_input(now, b"lava-agent-asked 0\r\nroot@debian:");
        assert_eq!(dialog.poll_done(), None);
        assert_eq!(dialog.poll_timeout(), Some(now + Duration::from_secs(3)));
        dialog.handle_timeout(now + Duration::from_secs(3));
        assert!(dialog.poll_transmit().is_some());
        let whole =
            format!("{ECHO}lava-agent 0.1.0 armv7 protocol 1-1\r\nlava-agent-asked 0\r\nroot@debian:");
        dialog.handle_input(now, whole.as_bytes());
        assert!(matches!(dialog.poll_done(), Some(Ok(Some(_)))));
    }

    #[test]
    fn a_silent_shell_is_asked_three_times_and_no_longer() {
        let now = Instant::now();
        let mut dialog = dialog(now);
        let mut asked = 1;
        let error = loop {
            if let Some(outcome) = dialog.poll_done() {
                break outcome.unwrap_err();
            }
            dialog.handle_timeout(dialog.poll_timeout().unwrap());
            asked += usize::from(dialog.poll_transmit().is_some());
        };
        assert_eq!(asked, 3);
        assert!(error.to_string().contains("no answer of the shell to the question"), "{error}");
    }
}
