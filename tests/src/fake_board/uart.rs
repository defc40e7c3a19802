//! The board's own tty: a pseudo-terminal whose other end is pumped to the line.
//!
//! Boot loader, shell and agent of a real board talk to a UART through the kernel's tty layer. So do ours, with the
//! same raw and cooked modes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::line::{Line, PtyPair};

/// The board's end of its UART.
#[derive(Debug)]
pub(super) struct Uart {
    tty: File,
    cooked: Termios,
    pump_out: JoinHandle<()>,
}

impl Uart {
    /// Connects a new tty to `line`; the board finds an error on it when the line ends.
    pub(super) fn connect(line: Line) -> io::Result<Self> {
        let pair = PtyPair::new()?;
        let tty = pair.open()?;
        let (master_in, master_out) = (pair.board()?, pair.board()?);
        drop(pair);
        let (stop, stopper) = pipe_with(PipeFlags::CLOEXEC)?;
        let Line { input, output } = line;
        thread::spawn(move || pump_in(input, master_in, stopper));
        let pump_out = thread::spawn(move || pump_out(master_out, output, &stop));
        let mut cooked = tcgetattr(&tty)?;
        cooked.local_modes |= rustix::termios::LocalModes::ICANON
            | rustix::termios::LocalModes::ECHO
            | rustix::termios::LocalModes::ECHOE
            | rustix::termios::LocalModes::ISIG;
        cooked.input_modes |= rustix::termios::InputModes::ICRNL;
        cooked.output_modes |= rustix::termios::OutputModes::OPOST | rustix::termios::OutputModes::ONLCR;
        Ok(Self { tty, cooked, pump_out })
    }

    /// Ends the board's use of its tty, and waits until all that it said has left.
    pub(super) fn disconnect(self) {
        drop(self.tty);
        // A pump that has panicked has told so itself.
        let _ = self.pump_out.join();
    }

    /// Hands every byte through, without echo.
    pub(super) fn raw(&self) -> io::Result<()> {
        let mut raw = self.cooked.clone();
        raw.make_raw();
        Ok(tcsetattr(&self.tty, OptionalActions::Now, &raw)?)
    }

    /// Lines with echo, as a login has them.
    pub(super) fn cooked(&self, echo: bool) -> io::Result<()> {
        let mut cooked = self.cooked.clone();
        if !echo {
            cooked.local_modes -= rustix::termios::LocalModes::ECHO;
        }
        Ok(tcsetattr(&self.tty, OptionalActions::Now, &cooked)?)
    }

    /// Says `text`, its `\n` as `\r\n` whatever the mode.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        let processed = tcgetattr(&self.tty)?.output_modes.contains(rustix::termios::OutputModes::OPOST);
        let text = if processed { text.to_owned() } else { text.replace('\n', "\r\n") };
        self.tty.write_all(text.as_bytes())
    }

    /// Sends `bytes` as they are; the tty must be raw.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tty.write_all(bytes)
    }

    /// Waits for one byte; `None` when `limit` has passed.
    pub(super) fn byte(&mut self, limit: Option<Duration>) -> io::Result<Option<u8>> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        if poll(&mut [PollFd::new(&self.tty, PollFlags::IN)], limit.as_ref())? == 0 {
            return Ok(None);
        }
        let mut byte = [0];
        match self.tty.read(&mut byte)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(Some(byte[0])),
        }
    }

    /// Waits for one line in cooked mode, without its end.
    pub(super) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while let Some(byte) = self.byte(None)? {
            if byte == b'\n' {
                break;
            }
            line.push(byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// The tty as a child's standard input or output.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.tty.try_clone()?.into())
    }
}

fn pump_in(mut line: Box<dyn Read + Send>, mut tty: File, stopper: OwnedFd) {
    copy(&mut line, &mut tty);
    // The other pump holds the tty too: only when both let go does the board see a hang-up.
    drop(stopper);
}

fn pump_out(mut tty: File, mut line: Box<dyn Write + Send>, stop: &OwnedFd) {
    let mut buffer = [0; 4096];
    loop {
        let mut ready = [PollFd::new(&tty, PollFlags::IN), PollFd::new(stop, PollFlags::empty())];
        if poll(&mut ready, None).is_err()
            || (ready[0].revents().is_empty() && !ready[1].revents().is_empty())
        {
            return;
        }
        let Ok(count @ 1..) = tty.read(&mut buffer) else { return };
        if line.write_all(&buffer[..count]).and_then(|()| line.flush()).is_err() {
            return;
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(count @ 1..) => {
                if to.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return,
        }
    }
}
