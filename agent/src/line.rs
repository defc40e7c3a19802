//! The two descriptors that the link runs over, and the frame that is on its way out.

use protocol::frame::MAX_ENCODED;
use protocol::link::Link;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, Result};

/// Bytes taken from the line at a time.
const READ: usize = 4096;

/// What the link runs over.
pub(crate) struct Line {
    /// Where the runner's bytes come from; does not block.
    pub(crate) input: BorrowedFd<'static>,
    /// Where bytes to the runner go; does not block.
    pub(crate) output: BorrowedFd<'static>,
    frame: [u8; MAX_ENCODED],
    written: usize,
    length: usize,
}

impl Line {
    /// Makes a line of two descriptors that do not block.
    pub(crate) const fn new(input: BorrowedFd<'static>, output: BorrowedFd<'static>) -> Self {
        Self { input, output, frame: [0; MAX_ENCODED], written: 0, length: 0 }
    }

    /// Whether part of a frame waits for room on the line.
    pub(crate) const fn is_writing(&self) -> bool {
        self.written < self.length
    }

    /// Writes what the link has to send, as far as the line takes it.
    ///
    /// # Errors
    /// The errno of the write that failed: the line is gone.
    pub(crate) fn write(&mut self, link: &mut Link, now_ms: u64) -> Result<()> {
        loop {
            if !self.is_writing() {
                self.written = 0;
                self.length = link.poll_transmit(now_ms, &mut self.frame);
            }
            let rest = self.frame.get(self.written..self.length).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            match rustix::io::write(self.output, rest) {
                Ok(count) => self.written += count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Hands the link what has arrived; whether the line is still there.
    pub(crate) fn read(&self, link: &mut Link, now_ms: u64) -> bool {
        let mut buffer = [0; READ];
        match rustix::io::read(self.input, &mut buffer) {
            Err(Errno::AGAIN | Errno::INTR) => true,
            // What is no frame was typed by somebody, or is an echo: not for the agent.
            Ok(count @ 1..) => {
                link.handle_input(now_ms, buffer.get(..count).unwrap_or_default(), &mut |_| {});
                true
            }
            Ok(0) | Err(_) => false,
        }
    }
}
