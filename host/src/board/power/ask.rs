//! A person who switches a board when asked to, on the terminal.

use std::fs::File;
use std::io::{self, IsTerminal as _, stdin};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{PowerErrorKind, Say, Switch, Time};

/// Standard input, to be opened again: the terminal as others have it must not become one that does not block.
const INPUT: &str = "/proc/self/fd/0";

/// One question at a time: there is one Enter key.
static TURN: Mutex<()> = Mutex::const_new(());

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The board, for the question.
    pub board: String,
}

/// Nobody has done it.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is nobody.
    #[error("a person is to be asked, but standard input is no terminal")]
    NoTerminal,
    /// The terminal is another program's now.
    #[error("a person is to be asked, but the program runs in the background of its terminal")]
    Background,
    /// The terminal does not work.
    #[error("the terminal cannot be read")]
    Terminal(#[source] io::Error),
    /// The terminal is closed.
    #[error("the terminal ended before Enter was pressed")]
    Ended,
    /// Nobody answers.
    #[error("nobody pressed Enter within {} s after `{question}`", waited.as_secs_f64().ceil())]
    Unanswered {
        /// What was asked.
        question: String,
        /// How long an answer was waited for.
        waited: Duration,
    },
}

impl AskError {
    /// Whether the bench file, or how the program was started, is to be mended.
    pub const fn is_benchs(&self) -> bool {
        matches!(self, Self::NoTerminal | Self::Background)
    }

    /// What to do about it, if that can be said.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoTerminal => {
                "start it from a terminal, or let the bench file name something that switches by itself"
            }
            Self::Background => "bring it to the foreground (`fg`)",
            _ => return None,
        };
        Some(help.to_owned())
    }
}

impl Ask {
    /// Asks for `switch` and waits for Enter.
    pub(super) async fn wait(&self, switch: Switch, time: &Time, say: Say<'_>) -> Result<(), PowerErrorKind> {
        let mut terminal = Terminal::open()?;
        let question = self.question(switch);
        let asked = async {
            let _turn = TURN.lock().await;
            terminal.forget()?;
            say(&question);
            terminal.enter().await
        };
        let unanswered = || AskError::Unanswered { question: question.clone(), waited: time.limit() };
        Ok(timeout(time.left(), asked).await.unwrap_or_else(|_| Err(unanswered()))?)
    }

    fn question(&self, switch: Switch) -> String {
        let board = &self.board;
        let order = match switch {
            Switch::On => format!("switch board `{board}` on"),
            Switch::Off => format!("switch board `{board}` off"),
            Switch::Reset => format!("reset board `{board}`, or switch it off and on"),
            Switch::Status => format!("look at board `{board}`"),
        };
        format!("{order}, then press Enter")
    }
}

/// The terminal that is standard input.
struct Terminal(Receiver);

impl Terminal {
    fn open() -> Result<Self, AskError> {
        if !stdin().is_terminal() {
            return Err(AskError::NoTerminal);
        }
        // A terminal that is not the one of this session has no foreground.
        if tcgetpgrp(stdin()).is_ok_and(|group| group != getpgrp()) {
            return Err(AskError::Background);
        }
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
        let file = File::options().read(true).custom_flags(flags).open(INPUT);
        // It is read as a pipe would be; that it is none is known.
        file.and_then(Receiver::from_file_unchecked).map(Self).map_err(AskError::Terminal)
    }

    /// Forgets what was typed before the question.
    fn forget(&self) -> Result<(), AskError> {
        tcflush(self.0.as_fd(), QueueSelector::IFlush).map_err(|error| AskError::Terminal(error.into()))
    }

    /// Waits for a line, whatever is in it.
    async fn enter(&mut self) -> Result<(), AskError> {
        let mut bytes = [0; 256];
        loop {
            match self.0.read(&mut bytes).await {
                Ok(0) => return Err(AskError::Ended),
                Ok(length) if bytes.iter().take(length).any(|byte| b"\r\n".contains(byte)) => return Ok(()),
                Ok(_) => {}
                // Its other end is gone.
                Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Err(AskError::Ended);
                }
                Err(error) => return Err(AskError::Terminal(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ask, Switch};

    #[test]
    fn a_question_says_what_is_to_be_done_with_which_board() {
        let ask = Ask { board: "bbb1".to_owned() };
        assert_eq!(ask.question(Switch::Off), "switch board `bbb1` off, then press Enter");
        assert_eq!(
            ask.question(Switch::Reset),
            "reset board `bbb1`, or switch it off and on, then press Enter"
        );
    }
}
