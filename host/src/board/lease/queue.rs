//! The queue of those who wait for leases of a bench.
//!
//! A place is a listening socket, as a lease is: it tells who waits there, and for what, and goes with its process. Whoever
//! comes takes the place behind the last one. A waiter's turn is when nobody before it waits for anything that it wants:
//! places are in one order, so that no two wait for each other.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tell::{Teller, ask_waiter, is_taken};
use super::{Holder, Key};
use crate::abstract_socket;

/// Places of a bench.
const PLACES: u32 = 256;

/// Who waits, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// Who it is.
    pub holder: Holder,
    /// Names of the leases that it wants.
    pub(super) wants: Vec<String>,
}

impl Waiter {
    /// Whether it waits for one of `keys`.
    pub fn wants(&self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.wants.contains(&key.name))
    }
}

/// A place in the queue, given up when it is dropped.
#[derive(Debug)]
pub struct Place {
    queue: Key,
    number: u32,
    waiter: Waiter,
    _teller: Teller,
}

impl Place {
    /// Takes the place behind all others of the bench file at `bench`, to wait there for `keys`.
    ///
    /// # Errors
    /// Where too many wait, or the system refuses a socket.
    pub fn take(bench: &Path, keys: &[Key], holder: Holder) -> io::Result<Self> {
        let queue = Key::queue(bench)?;
        let waiter = Waiter { holder, wants: keys.iter().map(|key| key.name.clone()).collect() };
        loop {
            let last = (0..PLACES).rev().find(|number| is_taken(&queue.place(*number)));
            let number = last.map_or(0, |last| last + 1);
            if number == PLACES {
                return Err(io::Error::other(format!("{PLACES} runs wait for boards of this bench already")));
            }
            match listen(&queue.place(number), &waiter) {
                Ok(teller) => return Ok(Self { queue, number, waiter, _teller: teller }),
                // Another one came at the same time.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many wait before this one for something that it wants. Closes up to those before it.
    ///
    /// A process that is stopped does not say that it waits, and lets others pass.
    pub fn before(&mut self) -> usize {
        // Downwards, as all look: whoever closes up takes the lower place before it leaves the higher one, and is found in
        // one of them at least.
        let mut others: Vec<(u32, Option<Waiter>)> = (0..self.number)
            .rev()
            .filter_map(|number| Some((number, ask_waiter(&self.queue.place(number))?)))
            .collect();
        let free = others.first().map_or(0, |(last, _)| last + 1);
        others.dedup_by(|(_, one), (_, other)| one.is_some() && one == other);
        // The new place first: whoever comes now must find one of them.
        if free < self.number
            && let Ok(teller) = listen(&self.queue.place(free), &self.waiter)
        {
            (self.number, self._teller) = (free, teller);
        }
        let others = others.iter().filter_map(|(_, waiter)| waiter.as_ref());
        others.filter(|other| other.wants.iter().any(|name| self.waiter.wants.contains(name))).count()
    }
}

/// All who wait for something of the bench file at `bench`, in their order.
///
/// # Errors
/// Where the path of the bench file cannot be resolved.
pub fn waiters(bench: &Path) -> io::Result<Vec<Waiter>> {
    let queue = Key::queue(bench)?;
    // Downwards, for the same reason as in `Place::before`.
    let mut all: Vec<Waiter> =
        (0..PLACES).rev().filter_map(|number| ask_waiter(&queue.place(number))).flatten().collect();
    // One that closed up meanwhile was found twice, in places that had nobody between them.
    all.dedup();
    all.reverse();
    Ok(all)
}

fn listen(name: &str, waiter: &Waiter) -> io::Result<Teller> {
    Teller::start(vec![abstract_socket::listen(name)?], waiter)
}

impl Key {
    /// The queue of the bench file at `bench`.
    fn queue(bench: &Path) -> io::Result<Self> {
        let bench = bench.canonicalize()?;
        Ok(Self::new("queue", "of the bench", &[bench.as_os_str().as_encoded_bytes()]))
    }

    /// Abstract name of a place in the queue.
    fn place(&self, number: u32) -> String {
        format!("{}/{number}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run: &str) -> Holder {
        Holder::this(run.to_owned(), "smoke".to_owned(), jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn who_waits_for_the_same_waits_in_order_and_others_pass() {
        let bench = tempfile::NamedTempFile::new().unwrap();
        let board = |name: &str| Key::board(bench.path(), name).unwrap();
        let take = |names: &[&str], run: &str| {
            let keys: Vec<_> = names.iter().map(|name| board(name)).collect();
            Place::take(bench.path(), &keys, holder(run)).unwrap()
        };
        let mut first = take(&["a", "b"], "one");
        let mut second = take(&["b"], "two");
        let mut third = take(&["c"], "three");
        let mut fourth = take(&["b", "c"], "four");
        assert_eq!([first.before(), second.before(), third.before(), fourth.before()], [0, 1, 0, 3]);
        let all = waiters(bench.path()).unwrap();
        let runs: Vec<_> = all.iter().map(|waiter| waiter.holder.run.as_str()).collect();
        assert_eq!(runs, ["one", "two", "three", "four"]);
        assert!(all[1].wants(&[board("b")]) && !all[1].wants(&[board("a")]));
        drop(first);
        assert_eq!([second.before(), third.before(), fourth.before()], [0, 0, 2]);
        drop(third);
        assert_eq!([second.before(), fourth.before()], [0, 1]);
        let mut last = take(&["c"], "five");
        assert_eq!(last.before(), 1);
        assert_eq!([second.number, fourth.number, last.number], [0, 1, 2]);
    }

    #[test]
    fn who_closes_up_while_others_look_is_seen_by_them() {
        let bench = tempfile::NamedTempFile::new().unwrap();
        let keys = [Key::board(bench.path(), "a").unwrap()];
        for _ in 0..100 {
            let first = Place::take(bench.path(), &keys, holder("one")).unwrap();
            let mut second = Place::take(bench.path(), &keys, holder("two")).unwrap();
            let mut third = Place::take(bench.path(), &keys, holder("three")).unwrap();
            drop(first);
            std::thread::scope(|scope| {
                let moved = scope.spawn(|| second.before());
                while !moved.is_finished() {
                    assert_eq!(third.before(), 1);
                    let runs: Vec<_> =
                        waiters(bench.path()).unwrap().into_iter().map(|waiter| waiter.holder.run).collect();
                    assert_eq!(runs, ["two", "three"]);
                }
            });
        }
    }
}
