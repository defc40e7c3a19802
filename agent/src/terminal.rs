//! The serial console as the agent needs it: every byte as it is, and given back as it was.

use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;
use rustix::io::Result;
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// A terminal in raw mode; restored when dropped.
pub(crate) struct RawTerminal {
    fd: BorrowedFd<'static>,
    saved: Termios,
}

impl RawTerminal {
    /// Puts a terminal into raw mode.
    ///
    /// # Errors
    /// `ENOTTY` if it is none.
    pub(crate) fn enter(fd: BorrowedFd<'static>) -> Result<Self> {
        let saved = tcgetattr(fd)?;
        let mut raw = saved.clone();
        raw.make_raw();
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(fd, OptionalActions::Drain, &raw)?;
        Ok(Self { fd, saved })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = tcsetattr(self.fd, OptionalActions::Drain, &self.saved);
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
