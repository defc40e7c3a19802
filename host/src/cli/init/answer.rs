//! A line that a person types: waited for until a signal comes, and without an echo where it is a password.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use tokio_util::sync::CancellationToken;

/// Longest answer, in bytes.
const LONGEST: usize = 4096;

/// How often it is looked whether a signal has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A line, without its end.
    Line(String),
    /// Standard input has ended before.
    End,
    /// A signal came.
    Interrupted,
}

/// Reads a line of standard input, and nothing behind it.
///
/// # Errors
/// It cannot be read, is longer than 4096 bytes, or is not UTF-8.
pub(super) fn line(interrupted: &CancellationToken) -> io::Result<Answer> {
    let stdin = stdin();
    let mut line = Vec::new();
    loop {
        if interrupted.is_cancelled() {
            return Ok(Answer::Interrupted);
        }
        let time = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&time)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut byte = [0];
        match read(stdin, &mut byte) {
            Err(Errno::INTR | Errno::AGAIN) => continue,
            // EIO: the terminal is gone.
            Ok(0) | Err(Errno::IO) if line.is_empty() => return Ok(Answer::End),
            Ok(0) | Err(Errno::IO) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) if line.len() == LONGEST => {
                let text = format!("an answer is longer than {LONGEST} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Ok(_) => line.extend(byte),
            Err(error) => return Err(error.into()),
        }
    }
    let text = String::from_utf8(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Answer::Line(text))
}

/// Nothing that is typed is shown as long as this lives.
#[derive(Debug)]
pub(super) struct NoEcho(Option<Termios>);

impl NoEcho {
    /// Turns the echo off where standard input is a terminal.
    ///
    /// # Errors
    /// The terminal cannot be set.
    pub(super) fn begin() -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        // Neither Ctrl-\ nor Ctrl-Z leaves the shell behind without an echo. Zero is _POSIX_VDISABLE (termios(3)).
        for key in [SpecialCodeIndex::VQUIT, SpecialCodeIndex::VSUSP] {
            silent.special_codes[key] = 0;
        }
        // What was typed before the question is no answer to it.
        tcsetattr(stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
