//! The serial console as the agent needs it: every byte as it is, and given back as it was.

use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;
use rustix::io::Result;
use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes};

use crate::runtime::{self, TerminalModes};

/// Places of VTIME and VMIN among the special characters (`asm/termbits.h`).
const VTIME: usize = 5;
const VMIN: usize = 6;

/// A terminal in raw mode; restored when dropped.
pub(crate) struct RawTerminal {
    fd: BorrowedFd<'static>,
    saved: TerminalModes,
}

impl RawTerminal {
    /// Puts a terminal into raw mode.
    ///
    /// # Errors
    /// `ENOTTY` if it is none.
    pub(crate) fn enter(fd: BorrowedFd<'static>) -> Result<Self> {
        let saved = runtime::terminal_modes(fd)?;
        runtime::set_terminal_modes(fd, &raw(saved))?;
        Ok(Self { fd, saved })
    }
}

/// Makes modes pass every byte at once and as it is, as cfmakeraw(3) does.
///
/// By system calls of its own, because rustix's modes carry the line's speed along, decoded.
fn raw(mut modes: TerminalModes) -> TerminalModes {
    const INPUT: InputModes = InputModes::IGNBRK
        .union(InputModes::BRKINT)
        .union(InputModes::PARMRK)
        .union(InputModes::ISTRIP)
        .union(InputModes::INLCR)
        .union(InputModes::IGNCR)
        .union(InputModes::ICRNL)
        .union(InputModes::IXON);
    const LOCAL: LocalModes = LocalModes::ECHO
        .union(LocalModes::ECHONL)
        .union(LocalModes::ICANON)
        .union(LocalModes::ISIG)
        .union(LocalModes::IEXTEN);

    modes.input &= !INPUT.bits();
    modes.output &= !OutputModes::OPOST.bits();
    modes.local &= !LOCAL.bits();
    modes.control &= !(ControlModes::CSIZE | ControlModes::PARENB).bits();
    modes.control |= ControlModes::CS8.bits();
    modes.special[VMIN] = 1;
    modes.special[VTIME] = 0;
    modes
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = runtime::set_terminal_modes(self.fd, &self.saved);
    }
}

/// A descriptor that does not block; as it was when dropped, because a shell shares it.
pub(crate) struct NonBlocking {
    fd: BorrowedFd<'static>,
    saved: OFlags,
}

impl NonBlocking {
    /// Makes reads and writes return at once.
    ///
    /// # Errors
    /// The errno of the system call that failed.
    pub(crate) fn enter(fd: BorrowedFd<'static>) -> Result<Self> {
        let saved = rustix::fs::fcntl_getfl(fd)?;
        rustix::fs::fcntl_setfl(fd, saved | OFlags::NONBLOCK)?;
        Ok(Self { fd, saved })
    }
}

impl Drop for NonBlocking {
    fn drop(&mut self) {
        let _ = rustix::fs::fcntl_setfl(self.fd, self.saved);
    }
}
