//! The lines of a node that nobody reads for a while: what boards say on them is read all the same.
//!
//! A kernel keeps some kilobytes of a serial line. While a node waits for its group, or fetches what it deploys, a board may
//! say more than that, and what does not fit is lost to the recording and to whoever waits for it later.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use crate::run::Line;

/// Which of a node's lines a piece of work reads by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reads<'a> {
    /// None.
    Nothing,
    /// That of the namespace that it works in.
    OfNamespace,
    /// The one of this name; `None` for the board's console.
    Named(Option<&'a str>),
}

/// Where lines are put that were lent, with the names of their namespaces.
pub(super) type Home = Arc<Mutex<Vec<(String, Line)>>>;

/// Lines that are lent; they are given back when this is dropped, in whatever way the work ends.
pub(crate) struct IdleLines {
    lines: Vec<(String, Line)>,
    home: Home,
}

impl IdleLines {
    pub(super) fn new(lines: Vec<(String, Line)>, home: Home) -> Self {
        Self { lines, home }
    }

    /// Waits for `work`, and reads the lines meanwhile.
    pub(crate) async fn listen_while<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut listening: Vec<_> =
            self.lines.iter_mut().map(|(_, line)| Box::pin(line.console.listen())).collect();
        let mut work = pin!(work);
        poll_fn(|cx| {
            // The work first: a line on which there is always more takes all that a task may do at once.
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            for line in &mut listening {
                let Poll::Pending = line.as_mut().poll(cx);
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for IdleLines {
    fn drop(&mut self) {
        self.home.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.lines);
    }
}
