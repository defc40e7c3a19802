//! The two descriptors that the link runs over, and the frame that is on its way out.

use core::net::{Ipv4Addr, SocketAddrV4};

use protocol::frame::MAX_ENCODED;
use protocol::link::Link;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::failure::Failure;
use crate::stdio;

/// Bytes taken from the line at a time.
const READ: usize = 4096;

/// Shortest time between two attempts to connect to the runner, in milliseconds.
const REDIAL_MS: u64 = 500;

/// How long the other end of a connection may not take what was sent, in milliseconds.
const DEAD_MS: u32 = 10_000;

/// Where the runner listens, and what tells it who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Runner<'a> {
    address: SocketAddrV4,
    token: &'a str,
}

impl<'a> Runner<'a> {
    /// Reads `ADDRESS:PORT`.
    pub(crate) fn parse(text: &str, token: &'a str) -> Option<Self> {
        let (address, port) = text.split_once(':')?;
        // Not by the standard library's parser, which is ten times as large.
        let mut octets = [0; 4];
        let mut parts = address.split('.');
        for octet in &mut octets {
            *octet = parts.next()?.parse().ok()?;
        }
        if parts.next().is_some() {
            return None;
        }
        Some(Self { address: SocketAddrV4::new(Ipv4Addr::from(octets), port.parse().ok()?), token })
    }
}

/// What the link runs over.
pub(crate) struct Line<'a> {
    /// Where the runner's bytes come from; does not block.
    pub(crate) input: BorrowedFd<'static>,
    /// Where bytes to the runner go; does not block.
    pub(crate) output: BorrowedFd<'static>,
    frame: [u8; MAX_ENCODED],
    written: usize,
    length: usize,
    /// Whom to call when the line is lost.
    runner: Option<Runner<'a>>,
    /// When to call, while there is no line.
    call_at: Option<u64>,
    /// When it was called last.
    called_ms: u64,
    /// Whether it was said that there is none.
    is_missed: bool,
}

impl<'a> Line<'a> {
    /// Makes a line of standard input and output, which do not block; with `runner`, they become a connection to it.
    pub(crate) const fn new(runner: Option<Runner<'a>>) -> Self {
        Self {
            input: stdio::stdin(),
            output: stdio::stdout(),
            frame: [0; MAX_ENCODED],
            written: 0,
            length: 0,
            runner,
            call_at: if runner.is_some() { Some(0) } else { None },
            called_ms: 0,
            is_missed: false,
        }
    }

    /// Whether there is something to read from and to write to.
    pub(crate) const fn is_there(&self) -> bool {
        self.call_at.is_none()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(crate) const fn poll_timeout(&self) -> Option<u64> {
        self.call_at
    }

    /// Calls the runner when it is time to. The link goes on where it was: what was on its way is sent again.
    ///
    /// # Errors
    /// The errno of the system call that failed. That the runner does not answer shows when the line is read.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64) -> Result<()> {
        let (Some(runner), Some(())) = (self.runner, self.call_at.take_if(|at| *at <= now_ms).map(|_| ()))
        else {
            return Ok(());
        };
        self.called_ms = now_ms;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        // Small messages that somebody waits for.
        sockopt::set_tcp_nodelay(&socket, true)?;
        // Sooner than the link is lost.
        sockopt::set_tcp_user_timeout(&socket, DEAD_MS)?;
        match rustix::net::connect(&socket, &runner.address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => {
                self.hang_up(errno, now_ms);
                return Ok(());
            }
        }
        rustix::stdio::dup2_stdin(&socket)?;
        rustix::stdio::dup2_stdout(&socket)?;
        // The token goes first, as a frame would.
        let token = runner.token.as_bytes().iter().take(MAX_ENCODED - 1).chain(b"\n");
        (self.written, self.length) = (0, 0);
        for (place, byte) in self.frame.iter_mut().zip(token) {
            *place = *byte;
            self.length += 1;
        }
        Ok(())
    }

    /// The line is lost; whether it will be there again. Standard error is still the console, where this is of use.
    pub(crate) fn hang_up(&mut self, why: Errno, now_ms: u64) -> bool {
        (self.written, self.length) = (0, 0);
        self.call_at = self.runner.map(|_| now_ms.max(self.called_ms + REDIAL_MS));
        if self.runner.is_some() && !self.is_missed {
            self.is_missed = true;
            Failure::System("no connection to the runner", why).say("lava-agent");
        }
        self.runner.is_some()
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
        while self.is_there() {
            if !self.is_writing() {
                self.written = 0;
                self.length = link.poll_transmit(now_ms, &mut self.frame);
            }
            let rest = self.frame.get(self.written..self.length).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match rustix::io::write(self.output, rest) {
                Ok(count) => self.written += count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Hands the link what has arrived.
    ///
    /// # Errors
    /// The errno of the read that failed, or `EPIPE` at the line's end: the line is gone.
    pub(crate) fn read(&mut self, link: &mut Link, now_ms: u64) -> Result<()> {
        let mut buffer = [0; READ];
        match rustix::io::read(self.input, &mut buffer) {
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Ok(0) => Err(Errno::PIPE),
            // What is no frame was typed by somebody, or is an echo: not for the agent.
            Ok(count) => {
                self.is_missed = false;
                link.handle_input(now_ms, buffer.get(..count).unwrap_or_default(), &mut |_| {});
                Ok(())
            }
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_an_address_and_a_port() {
        let runner = Runner::parse("192.168.7.1:40001", "5eC2et");
        let address = SocketAddrV4::new(Ipv4Addr::new(192, 168, 7, 1), 40_001);
        assert_eq!(runner, Some(Runner { address, token: "5eC2et" }));
        let wrong = ["", "192.168.7.1", "192.168.7.1:", "192.168.7:1", "1.2.3.4.5:1", "1.2.3.256:1"];
        for text in wrong.into_iter().chain(["1.2.3.4:65536", "1.2.3.4:1:", "bench:1", "::1:1"]) {
            assert_eq!(Runner::parse(text, "x"), None, "{text}");
        }
    }
}
