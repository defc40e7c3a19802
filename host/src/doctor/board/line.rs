//! The open console of a board.

use std::time::{Duration, Instant};

use regex::Regex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::{Heard, Stopped};
use crate::board::Board;
use crate::dialog::{Goal, Start, Uboot, UbootError, UbootLimits};
use crate::doctor::finding::{Check, Finding, Findings};
use crate::fault::{Chain, Class};
use crate::limit::Limit;
use crate::link::{Console, DriveError, drive};

/// How long a console may take what is typed.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Letters that noise on an open line could be; an answer has more, or is a prompt.
const NOISE: usize = 2;

/// A board's console, and what came on it.
pub(super) struct Line<'b> {
    pub(super) board: &'b Board,
    pub(super) console: Console,
    pub(super) heard: Heard,
    /// From the reset to U-Boot's prompt.
    pub(super) patience: Duration,
}

impl Line<'_> {
    /// Listens for `time`, or until nothing has come for `quiet`; whether it has become quiet.
    pub(super) async fn listen(&mut self, time: Duration, quiet: Duration) -> std::io::Result<bool> {
        let mut buffer = [0; 4096];
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            tokio::select! {
                biased;
                count = self.console.read(&mut buffer) => if count? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                },
                () = sleep(quiet.min(left)) => return Ok(quiet <= left),
            }
        }
    }

    /// Types the Enter key; whether something comes within `time` that noise on an open line could not be.
    pub(super) async fn answers(&mut self, time: Duration) -> std::io::Result<bool> {
        self.heard.forget();
        self.type_in(b"\r").await?;
        let prompts = self.board.uboot.iter().flat_map(|uboot| &uboot.prompts);
        let prompts: Vec<_> = prompts.filter_map(|prompt| Regex::new(prompt).ok()).collect();
        let until = Instant::now() + time;
        let mut buffer = [0; 4096];
        while let Ok(read) =
            timeout(until.saturating_duration_since(Instant::now()), self.console.read(&mut buffer)).await
        {
            if read? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let text = self.heard.text();
            if self.heard.letters() > NOISE || prompts.iter().any(|prompt| prompt.is_match(&text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Types `bytes`.
    pub(super) async fn type_in(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match timeout(WRITE_LIMIT, self.console.write_all(bytes)).await {
            Ok(written) => written,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }

    /// Talks to U-Boot until `commands` are done, for `limit` at most.
    pub(super) async fn talk(
        &mut self,
        commands: Vec<String>,
        start: Start,
        limit: Limit,
    ) -> Result<(), TalkError> {
        let uboot = self.board.uboot.as_ref().ok_or(TalkError::None)?;
        let settings =
            crate::action::dialog_settings(uboot, &[], &uboot.final_message, UbootLimits::default())?;
        let now = Instant::now();
        let dialog = Uboot::new(settings, commands, start, Goal::Prompt, limit.after(now), now)
            .map_err(DriveError::Dialog)?;
        drive(&mut self.console, dialog).await?;
        Ok(())
    }

    /// Tells that the console itself has failed.
    pub(super) fn broken(&self, error: &dyn std::error::Error, findings: &mut Findings<'_>) -> Stopped {
        let mut text = format!("the console failed: {}", Chain(error));
        for notice in self.heard.notices() {
            text = format!("{text}\n{notice}");
        }
        findings.add(Finding::fault(Check::Console, &self.board.name, Class::Infrastructure, text));
        Stopped
    }
}

/// Why a conversation with U-Boot was none.
#[derive(Debug, thiserror::Error)]
pub(super) enum TalkError {
    /// The board's type has none.
    #[error("the board's type has no U-Boot")]
    None,
    /// A pattern of the bench file does not compile.
    #[error(transparent)]
    Pattern(#[from] regex::Error),
    /// The conversation failed.
    #[error(transparent)]
    Drive(#[from] DriveError<UbootError>),
}

impl TalkError {
    /// U-Boot's own word for it, if the line did not fail.
    pub(super) const fn uboot(&self) -> Option<&UbootError> {
        match self {
            Self::Drive(DriveError::Dialog(error)) => Some(error),
            Self::None | Self::Pattern(_) | Self::Drive(_) => None,
        }
    }
}
