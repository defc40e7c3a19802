//! A console that others than its owner see, and type on: processes of the same user, or of root, attach to it.
//!
//! ```text
//! board ──▶ Console ──tap──▶ Backlog ──▶ a task per watcher ──▶ its socket
//!              ▲                               │
//!              └──────────── Typist ◀──────────┘  what watchers type
//! ```
//!
//! Bytes go both ways as they are. A watcher gets the end of what came before it, and all that comes after; one that is
//! too slow for the backlog is told how much it has missed. The socket has an abstract name (unix(7)), as leases have.

mod backlog;

use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream as StdUnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use backlog::Backlog;

use super::Tap;
use crate::event::Direction;

/// Most watchers of a console at a time.
const MAX_WATCHERS: usize = 16;

/// What came before a watcher, of which it gets the end, in bytes.
const SCROLLBACK: u64 = 64 << 10;

/// Most bytes that are taken of a watcher's typing at once.
const MAX_TYPED: usize = 1024;

/// Chunks of typing that wait for the console's owner.
const MAX_WAITING: usize = 16;

/// How long watchers have to take the rest of what a console said that is closed.
const REST_TIME: Duration = Duration::from_secs(1);

/// Bytes that watchers typed, one after the other.
pub(super) type TypedBytes = Arc<Mutex<mpsc::Receiver<Vec<u8>>>>;

/// A console that others can attach to until it is dropped.
pub struct ConsoleShare {
    shared: Arc<Shared>,
    watchers: AbortOnDropHandle<()>,
}

impl fmt::Debug for ConsoleShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleShare").finish_non_exhaustive()
    }
}

/// What the owner and the watchers' tasks have in common.
struct Shared {
    backlog: Mutex<Backlog>,
    /// How many bytes came so far; [`None`] once no more will.
    end: watch::Sender<Option<u64>>,
    /// Takes what watchers type.
    typed: mpsc::Sender<Vec<u8>>,
    /// Gives it to the console that is open now.
    typist: TypedBytes,
}

impl Shared {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConsoleShare {
    /// Lets others attach at the abstract name `name`.
    ///
    /// # Errors
    /// Where the name is taken, or the system refuses a socket.
    pub fn open(name: &str) -> io::Result<Self> {
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let (typed, typist) = mpsc::channel(MAX_WAITING);
        let shared = Arc::new(Shared {
            backlog: Mutex::default(),
            end: watch::Sender::new(Some(0)),
            typed,
            typist: Arc::new(Mutex::new(typist)),
        });
        let watchers = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::clone(&shared))));
        Ok(Self { shared, watchers })
    }

    /// A tap that shows watchers what the board says, beside what `tap` does with it.
    pub fn tap(&self, tap: Tap) -> Tap {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |direction, bytes| {
            tap(direction, bytes);
            if direction == Direction::Rx {
                let end = shared.backlog().push(bytes);
                shared.end.send_replace(Some(end));
            }
        })
    }

    /// What watchers type, for the console that is open now.
    pub(super) fn typist(&self) -> TypedBytes {
        Arc::clone(&self.shared.typist)
    }

    /// Ends the watchers' connections, once each has what the board has said.
    pub async fn close(mut self) {
        self.shared.end.send_replace(None);
        // Whoever does not read gets no more time.
        let _ = tokio::time::timeout(REST_TIME, &mut self.watchers).await;
    }
}

/// Attaches to the console that is shared at the abstract name `name`.
///
/// # Errors
/// [`io::ErrorKind::ConnectionRefused`] where there is none.
pub fn attach(name: &str) -> io::Result<UnixStream> {
    let stream = StdUnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// Serves watchers until the console is closed, and then until they have all of it.
async fn serve(listener: tokio::net::UnixListener, shared: Arc<Shared>) {
    let mut watchers = JoinSet::new();
    let mut end = shared.end.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if watchers.len() < MAX_WATCHERS && may_attach(&stream) => {
                    watchers.spawn(show(stream, Arc::clone(&shared)));
                }
                // Too many, or another user's.
                Ok(_) => {}
                // Out of descriptors for the moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = watchers.join_next() => {}
            // The sender outlives this task.
            () = async { drop(end.wait_for(Option::is_none).await) } => break,
        }
    }
    drop(listener);
    while watchers.join_next().await.is_some() {}
}

/// Whether the process at the other end is this user's, or root's.
pub(crate) fn may_attach(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == rustix::process::getuid().as_raw())
}

/// Shows a watcher what the board says, and takes what it types.
async fn show(stream: UnixStream, shared: Arc<Shared>) {
    let (mut from_watcher, mut to_watcher) = stream.into_split();
    let typing = async {
        let mut bytes = vec![0; MAX_TYPED];
        while let Ok(count @ 1..) = from_watcher.read(&mut bytes).await {
            let typed = bytes.get(..count).unwrap_or_default().to_vec();
            if shared.typed.send(typed).await.is_err() {
                break;
            }
        }
        // It may still want to see what comes.
        std::future::pending::<()>().await;
    };
    let showing = async {
        let mut end = shared.end.subscribe();
        let mut at = shared.backlog().end().saturating_sub(SCROLLBACK);
        loop {
            // Marked as seen before it is looked at: what comes in between wakes again.
            let is_closed = end.borrow_and_update().is_none();
            let piece = shared.backlog().since(at);
            if piece.missed > 0 {
                let text = format!("\r\n[{} bytes were not shown]\r\n", piece.missed);
                to_watcher.write_all(text.as_bytes()).await?;
            }
            to_watcher.write_all(&piece.bytes).await?;
            at = piece.end;
            if piece.bytes.is_empty() && (is_closed || end.changed().await.is_err()) {
                return Ok::<_, io::Error>(());
            }
        }
    };
    tokio::select! {
        // A watcher that is gone is no error of the console.
        _ = showing => {}
        () = typing => {}
    }
}

#[cfg(test)]
mod tests;
