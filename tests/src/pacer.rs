//! A serial line: two pseudo-terminals with something between them that passes bytes as slowly as a UART does.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::fake_board::PtyPair;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How often bytes are passed on: as often as a UART's FIFO asks for some.
const TICK: Duration = Duration::from_millis(1);

/// How long an idle direction waits before it looks whether the line is still wanted.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The line; it ends when it is dropped.
#[derive(Debug)]
pub struct Pacer {
    /// The end that the board opens.
    pub board: PtyPair,
    /// The end that the runner opens.
    pub runner: PtyPair,
    carried: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    directions: Vec<JoinHandle<()>>,
}

impl Pacer {
    /// A line of `bytes_per_s` each way.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(bytes_per_s: u32) -> io::Result<Self> {
        let (board, runner) = (PtyPair::new()?, PtyPair::new()?);
        let (carried, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let ends = [(board.board()?, runner.board()?), (runner.board()?, board.board()?)];
        let directions = ends
            .map(|(from, to)| {
                let direction = Direction {
                    from: from.into(),
                    to: to.into(),
                    bytes_per_s: f64::from(bytes_per_s),
                    carried: Arc::clone(&carried),
                    is_over: Arc::clone(&is_over),
                };
                thread::spawn(move || direction.run())
            })
            .into();
        Ok(Self { board, runner, carried, is_over, directions })
    }

    /// Bytes carried so far, of both directions.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for direction in self.directions.drain(..) {
            // One that has panicked has told so itself.
            let _ = direction.join();
        }
    }
}

struct Direction {
    from: OwnedFd,
    to: OwnedFd,
    bytes_per_s: f64,
    carried: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Direction {
    /// Passes bytes on until the line is over or an end fails.
    fn run(&self) {
        let mut buffer = [0; 4096];
        while !self.is_over.load(Ordering::Relaxed) {
            let mut ready = [PollFd::new(&self.from, PollFlags::IN)];
            let is_idle = matches!(poll(&mut ready, Some(&IDLE)), Ok(0) | Err(Errno::INTR));
            if !is_idle && self.burst(&mut buffer).is_err() {
                // Nobody has the end open yet, or any more.
                thread::sleep(TICK);
            }
        }
    }

    /// Passes on what comes without a break, at the line's rate.
    fn burst(&self, buffer: &mut [u8]) -> rustix::io::Result<()> {
        let (begun, mut passed) = (Instant::now(), 0);
        loop {
            thread::sleep(TICK);
            let due = (begun.elapsed().as_secs_f64() * self.bytes_per_s) as usize - passed;
            let wanted = due.min(buffer.len());
            if wanted == 0 {
                continue;
            }
            let mut ready = [PollFd::new(&self.from, PollFlags::IN)];
            if poll(&mut ready, Some(&Timespec::default()))? == 0 {
                return Ok(());
            }
            let count = rustix::io::read(&self.from, &mut buffer[..wanted])?;
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                let written = rustix::io::write(self.to.as_fd(), rest)?;
                rest = &rest[written..];
            }
            passed += count;
            self.carried.fetch_add(count as u64, Ordering::Relaxed);
            if count < wanted {
                return Ok(());
            }
        }
    }
}
