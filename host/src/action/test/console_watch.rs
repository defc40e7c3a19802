//! What a console says between the agent's frames: that the board has died, or that the agent has.

use regex::bytes::Regex;
use tokio::sync::watch;

use crate::agent_link::OnText;
use crate::dialog::{KernelFailure, KernelLog, Scan};

/// Listens to the text on a console that an agent has.
pub(super) struct ConsoleWatch {
    failure: watch::Receiver<Option<KernelFailure>>,
    prompt: watch::Receiver<String>,
}

/// What the text says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The board cannot go on.
    Failure(KernelFailure),
    /// What looks like the shell's prompt: the shell may have the terminal back, which it has not while the agent lives.
    /// Others can write the same.
    Prompt(String),
}

impl ConsoleWatch {
    /// The watch, and what is to be given all text; `prompts` are those of the shell that started the agent.
    pub(super) fn new(prompts: Vec<Regex>) -> (Self, OnText) {
        let (sender, failure) = watch::channel(None);
        let (seen_prompt, prompt) = watch::channel(String::new());
        let (mut log, mut scan) = (KernelLog::default(), Scan::default());
        let on_text = move |bytes: &[u8]| {
            if let Some(failure) = log.push(bytes) {
                sender.send_if_modified(|seen| seen.is_none() && seen.replace(failure).is_none());
            }
            scan.push(bytes);
            // The runner's own frames, echoed by the terminal, may already stand behind it.
            if let Some(prompt) = prompts.iter().find_map(|prompt| scan.find(prompt)) {
                seen_prompt.send_replace(prompt);
            }
        };
        (Self { failure, prompt }, Box::new(on_text))
    }

    /// Resolves when something is seen. Cancel-safe.
    pub(super) async fn seen(&mut self) -> Seen {
        let failure = async {
            match self.failure.wait_for(Option::is_some).await.map(|seen| seen.clone()) {
                Ok(Some(failure)) => failure,
                _ => std::future::pending().await,
            }
        };
        let prompt = async {
            match self.prompt.changed().await {
                Ok(()) => self.prompt.borrow_and_update().clone(),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            failure = failure => Seen::Failure(failure),
            prompt = prompt => Seen::Prompt(prompt),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn watch() -> (ConsoleWatch, OnText) {
        ConsoleWatch::new(vec![Regex::new("root@debian:~#").unwrap()])
    }

    /// What is seen now.
    fn seen(watch: &mut ConsoleWatch) -> Option<Seen> {
        match pin!(watch.seen()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(seen) => Some(seen),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_prompt_that_waits_for_input_is_seen_once() {
        let (mut watch, mut on_text) = watch();
        on_text(b"Killed\r\n\x1b[?2004hroot@deb");
        assert_eq!(seen(&mut watch), None);
        on_text(b"ian:~# ");
        assert_eq!(seen(&mut watch), Some(Seen::Prompt("root@debian:~#".to_owned())));
        assert_eq!(seen(&mut watch), None);
    }

    #[test]
    fn a_prompt_with_an_echo_behind_it_is_seen() {
        let (mut watch, mut on_text) = watch();
        on_text(b"Killed\r\nroot@debian:~# \x01AgIDBAUG");
        assert_eq!(seen(&mut watch), Some(Seen::Prompt("root@debian:~#".to_owned())));
    }

    #[test]
    fn a_board_that_has_died_is_seen_for_good() {
        let (mut watch, mut on_text) = watch();
        on_text(b"root@debian:~# \r\nU-Boot SPL 2023.01 (Jan 09 2023)\r\n");
        for _ in 0..2 {
            assert!(matches!(seen(&mut watch), Some(Seen::Failure(_))));
        }
    }
}
