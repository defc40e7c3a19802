//! What a console says between the agent's frames: that the board has died, or that the agent has, what the kernel
//! complains of, and text signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::Regex;
use tokio::sync::{mpsc, watch};

use crate::agent_link::OnText;
use crate::dialog::{Complaint, Complaints, KernelFailure, KernelLog, Scan};

use super::text_signal::{TextSignal, TextSignals};

/// Things heard that wait to be taken: more than come while one piece of text is read.
const CAPACITY: usize = 4096;

/// Listens to the text on a console that an agent has.
pub(super) struct ConsoleWatch {
    failure: watch::Receiver<Option<KernelFailure>>,
    prompt: watch::Receiver<String>,
    heard: mpsc::Receiver<Seen>,
    lost: Arc<LostCounters>,
}

/// What the text says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The board cannot go on.
    Failure(KernelFailure),
    /// What looks like the shell's prompt: the shell may have the terminal back, which it has not while the agent lives.
    /// Others can write the same.
    Prompt(String),
    /// The kernel complains, and goes on.
    Complaint(Complaint),
    /// A text signal, such as one that was written to `/dev/kmsg`.
    Signal(TextSignal),
    /// So much came faster than it was taken, and is lost.
    Lost(Lost),
}

/// How much came faster than it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Text signals.
    pub(super) signals: u64,
    /// Complaints of the kernel.
    pub(super) complaints: u64,
}

#[derive(Debug, Default)]
struct LostCounters {
    signals: AtomicU64,
    complaints: AtomicU64,
}

impl ConsoleWatch {
    /// The watch, and what is to be given all text; `prompts` are those of the shell that started the agent.
    pub(super) fn new(prompts: Vec<Regex>) -> (Self, OnText) {
        let (sender, failure) = watch::channel(None);
        let (seen_prompt, prompt) = watch::channel(String::new());
        let (heard_sender, heard) = mpsc::channel(CAPACITY);
        let lost = Arc::new(LostCounters::default());
        let counters = Arc::clone(&lost);
        let (mut log, mut signals, mut scan) =
            (KernelLog::default(), TextSignals::on_console(), Scan::default());
        let on_text = move |bytes: &[u8]| {
            if let Some(failure) = log.push(bytes) {
                sender.send_if_modified(|seen| seen.is_none() && seen.replace(failure).is_none());
            }
            let Complaints { first, more } = log.take_complaints();
            let not_taken = |seen: Seen| u64::from(heard_sender.try_send(seen).is_err());
            let complaints = more + first.into_iter().map(Seen::Complaint).map(not_taken).sum::<u64>();
            let signals = signals.push(bytes).into_iter().map(Seen::Signal).map(not_taken).sum();
            counters.complaints.fetch_add(complaints, Ordering::Relaxed);
            counters.signals.fetch_add(signals, Ordering::Relaxed);
            scan.push(bytes);
            // The runner's own frames, echoed by the terminal, may already stand behind it.
            if let Some(prompt) = prompts.iter().find_map(|prompt| scan.find(prompt)) {
                seen_prompt.send_replace(prompt);
            }
        };
        (Self { failure, prompt, heard, lost }, Box::new(on_text))
    }

    /// Resolves when something is seen. Cancel-safe.
    pub(super) async fn seen(&mut self) -> Seen {
        if let Some(lost) = self.take_lost() {
            return lost;
        }
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
        let heard = async {
            match self.heard.recv().await {
                Some(seen) => seen,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // What was heard before the board died belongs before it.
            seen = heard => seen,
            failure = failure => Seen::Failure(failure),
            prompt = prompt => Seen::Prompt(prompt),
        }
    }

    /// What was heard and not yet taken, and at its end how much was lost.
    pub(super) fn heard(&mut self) -> Option<Seen> {
        self.heard.try_recv().ok().or_else(|| self.take_lost())
    }

    fn take_lost(&self) -> Option<Seen> {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let lost = Lost { signals: take(&self.lost.signals), complaints: take(&self.lost.complaints) };
        (lost != Lost::default()).then_some(Seen::Lost(lost))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::dialog::ComplaintKind;

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

    #[test]
    fn complaints_and_signals_are_seen_in_order_before_the_end() {
        let (mut watch, mut on_text) = watch();
        on_text(b"[    9.1] WARNING: CPU: 0 PID: 7 at kernel/x.c:1\r\n");
        on_text(b"[    9.2] <LAVA_SIGNAL_TESTEVENT x>\r\n[    9.3] Kernel panic - not syncing: no\r\n");
        let text = "[    9.1] WARNING: CPU: 0 PID: 7 at kernel/x.c:1".to_owned();
        let warning = Complaint { kind: ComplaintKind::Warning, text };
        assert_eq!(seen(&mut watch), Some(Seen::Complaint(warning)));
        assert_eq!(seen(&mut watch), Some(Seen::Signal(TextSignal::TestEvent("x".to_owned()))));
        assert!(matches!(seen(&mut watch), Some(Seen::Failure(KernelFailure::Panic(_)))));
    }

    #[test]
    fn what_comes_faster_than_it_is_taken_is_counted() {
        let (mut watch, mut on_text) = watch();
        for _ in 0..CAPACITY + 3 {
            on_text(b"<LAVA_SIGNAL_TESTEVENT x>");
        }
        on_text(b"\n[    9.1] BUG: a\n");
        assert_eq!(seen(&mut watch), Some(Seen::Lost(Lost { signals: 3, complaints: 1 })));
        assert!(matches!(seen(&mut watch), Some(Seen::Signal(_))));
    }

    #[test]
    fn complaints_that_come_in_one_piece_are_taken_or_counted() {
        let (mut watch, mut on_text) = watch();
        on_text("[    9.1] BUG: a\n".repeat(700).as_bytes());
        let Some(Seen::Lost(lost)) = seen(&mut watch) else { panic!("nothing was lost") };
        let taken = std::iter::from_fn(|| watch.heard()).count() as u64;
        assert_eq!((taken + lost.complaints, lost.signals), (700, 0));
        assert!(taken > 0);
    }
}
