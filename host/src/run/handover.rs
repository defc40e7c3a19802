//! Boards that change hands with their lines open: from a person's console to a run, and back when the run ends.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::board::lease::{Lease, Told};
use crate::board::{Bench, Board};
use crate::link::control;
use crate::run::lease::{Queue, board_keys};

/// The lines that a run was given, and those that it leaves.
#[derive(Clone, Debug, Default)]
pub struct Handover(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Open lines by the names of their boards.
    came: HashMap<String, OwnedFd>,
    left: Vec<Left>,
    /// Until when boards stay on whose nodes have failed, by their names.
    kept: HashMap<String, jiff::Timestamp>,
    /// What others are told of the run.
    told: Told,
}

/// A board that stays on as long as this is there.
#[derive(Debug)]
pub(crate) struct KeptOn {
    handover: Handover,
    board: String,
}

impl Drop for KeptOn {
    fn drop(&mut self) {
        self.handover.change_kept(|kept| {
            kept.remove(&self.board);
        });
    }
}

/// A board whose console was open at the end.
#[derive(Debug)]
struct Left {
    board: String,
    line: Option<OwnedFd>,
    /// Those who want to have it next, in their order.
    next: Vec<UnixStream>,
}

impl Handover {
    /// With the open lines that came with `lease`, by the names of their boards.
    pub fn of(lease: &Lease, came: HashMap<String, OwnedFd>) -> Self {
        Self(Arc::new(Mutex::new(Lines { came, left: Vec::new(), kept: HashMap::new(), told: lease.told() })))
    }

    /// Tells whoever asks that `board` stays on for `time` from now, until what comes back is dropped.
    pub(crate) fn keep_on(&self, board: &str, time: Duration) -> KeptOn {
        if let Ok(until) = jiff::Timestamp::now().checked_add(time) {
            self.change_kept(|kept| {
                kept.insert(board.to_owned(), until);
            });
        }
        KeptOn { handover: self.clone(), board: board.to_owned() }
    }

    /// Changes which boards are kept on, and tells how long one of them is.
    fn change_kept(&self, change: impl FnOnce(&mut HashMap<String, jiff::Timestamp>)) {
        let mut lines = self.lines();
        change(&mut lines.kept);
        let until = lines.kept.values().max().copied();
        lines.told.change(|holder| holder.kept_on_until = until);
    }

    /// The open line of `board`, once.
    pub(crate) fn take_line(&self, board: &str) -> Option<OwnedFd> {
        self.lines().came.remove(board)
    }

    /// Notes that the console of `board` was closed, who wants it next, and its line, if that is still open.
    pub(crate) fn leave(&self, board: &str, line: Option<OwnedFd>, next: Vec<UnixStream>) {
        // Nobody to give it to: it is closed now.
        if next.is_empty() {
            return;
        }
        self.lines().left.push(Left { board: board.to_owned(), line, next });
    }

    /// Gives `lease` back: each board with its open line to whoever is attached to it and wants it, unless somebody waits
    /// for it in the queue.
    pub fn finish(self, lease: Lease, bench: &Bench) {
        let left = std::mem::take(&mut self.lines().left);
        let wanted: Vec<_> = left.into_iter().filter(|left| is_next(bench, left)).collect();
        let boards = bench.boards.iter();
        let of_left = |left: &Left| boards.clone().find(|board| board.name == left.board);
        let mut parts = Vec::new();
        let mut all_next = Vec::new();
        for left in wanted {
            if let Some(keys) = of_left(&left).and_then(|board| board_keys(bench, board).ok()) {
                parts.push((keys, left.line));
                all_next.push(left.next);
            }
        }
        for (given, next) in lease.give_each(parts).into_iter().zip(all_next) {
            give_to_first(next, given);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether one of those who are attached has the board next.
fn is_next(bench: &Bench, left: &Left) -> bool {
    let board = bench.boards.iter().find(|board| board.name == left.board);
    board.is_some_and(|board| nobody_waits(bench, board))
}

/// Whether nobody waits for `board` in the queue; who cannot be asked does not wait.
pub fn nobody_waits(bench: &Bench, board: &Board) -> bool {
    let waiting = Queue::read(bench).and_then(|queue| queue.waiting_for(bench, board));
    waiting.is_ok_and(|waiting| waiting.is_empty())
}

/// What is handed over of a board: `lease`, with the open line. Nothing where the bench file is gone.
pub fn give_board(
    lease: Lease,
    bench: &Bench,
    board: &Board,
    line: Option<OwnedFd>,
) -> Option<crate::board::lease::Handover> {
    let keys = board_keys(bench, board).ok()?;
    lease.give_each(vec![(keys, line)]).pop()
}

/// Gives a board to the first of `next`. Where its process is gone, the board is free: the others look for it.
pub fn give_to_first(next: Vec<UnixStream>, given: crate::board::lease::Handover) {
    if let Some(first) = next.first() {
        // Whoever is gone needs no board.
        let _ = control::give(first, given);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::lease::{Holder, Key};

    #[test]
    fn it_is_told_that_a_board_stays_on_for_as_long_as_it_does() {
        // Names of sockets are this PC's: another process has others.
        let key = Key::port(&format!("kept-on-{}", std::process::id()), 1);
        let holder = Holder::this("runs/1".to_owned(), "smoke".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let lease = Lease::acquire(std::slice::from_ref(&key), &holder).unwrap();
        let handover = Handover::of(&lease, HashMap::new());
        let told = || key.holder().expect("it is leased").kept_on_until;
        assert_eq!(told(), None);
        let short = handover.keep_on("bbb1", Duration::from_secs(60));
        let first = told().expect("one stays on");
        let long = handover.keep_on("bbb2", Duration::from_secs(600));
        assert!(told().is_some_and(|until| until > first));
        drop(long);
        assert_eq!(told(), Some(first), "the other one goes on");
        drop(short);
        assert_eq!(told(), None);
    }
}
