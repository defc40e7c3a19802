//! A console that others than its owner see, and type on: processes of the same user, or of root, attach to it.
//!
//! ```text
//! board ──▶ Console ──tap──▶ Backlog ──▶ a task per watcher ──▶ its socket
//!              ▲                               │
//!              └──────────── Typist ◀──────────┘  what watchers type
//! ```
//!
//! Bytes go both ways as they are, but for the frames of an agent in the console of a run, which are no person's to read. A watcher gets the end of what came before it, and all that comes after; one that is
//! too slow for the backlog is told how much it has missed, and one that is not let in, why. The socket has an abstract
//! name (unix(7)), as leases have. What is more than bytes goes by a second socket, [`control`].

mod answers;
mod backlog;
pub mod control;
mod descriptors;

use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream as StdUnixStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use backlog::Backlog;
use control::Watcher;

use super::{Notice, Tap};
use crate::abstract_socket;
use crate::board::lease::{Handover, Process};
use crate::board::power::Switch;
use crate::event::Direction;
use crate::text::BetweenFrames;

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

/// Orders that wait for the console's owner.
const MAX_ORDERS: usize = 4;

/// How long the system's being out of descriptors is waited out.
const SHORT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// What a watcher has for the line.
#[derive(Debug)]
pub(super) enum Typed {
    Bytes(Vec<u8>),
    /// A break; whoever asked is told how that went.
    Break(oneshot::Sender<io::Result<()>>),
}

/// What watchers typed, one after the other.
pub(super) type TypedBytes = Arc<Mutex<mpsc::Receiver<Typed>>>;

/// What the owner of a console is asked to do by somebody who may attach to it. Nothing is answered by dropping it.
#[derive(Debug)]
pub enum Order {
    /// To switch the board's power.
    Switch {
        /// Who asks.
        who: Process,
        /// How.
        switch: Switch,
        /// Takes what there is to say of it, or why it was not done.
        answer: oneshot::Sender<Result<String, String>>,
    },
    /// To give the board away.
    Give {
        /// The run or command that wants it.
        to: String,
        /// Takes the board.
        answer: oneshot::Sender<Handover>,
    },
}

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
    typed: mpsc::Sender<Typed>,
    /// Gives it to the console that is open now.
    typist: TypedBytes,
    /// Takes what else watchers ask for.
    orders: mpsc::Sender<Order>,
    /// Whether the owner gives the board to whoever asks.
    gives: bool,
    /// Who is attached.
    attached: Mutex<Vec<Watcher>>,
    /// Those who want the board next, in their order.
    next: Mutex<Vec<StdUnixStream>>,
    /// Questions that are answered at a time.
    questions: Arc<Semaphore>,
    /// Whether an agent reads the line, which makes nothing of what people type.
    agent_has_line: Arc<AtomicBool>,
}

impl Shared {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows something to those who are attached.
    fn push(&self, bytes: &[u8]) {
        let end = self.backlog().push(bytes);
        self.end.send_replace(Some(end));
    }

    fn attached(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> MutexGuard<'_, Vec<StdUnixStream>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConsoleShare {
    /// Lets others attach at the abstract name `name`; what they ask of the owner comes out of the receiver. `gives` says
    /// whether the owner gives the board away when it is asked for.
    ///
    /// # Errors
    /// Where the name is taken, or the system refuses a socket.
    pub fn open(name: &str, gives: bool) -> io::Result<(Self, mpsc::Receiver<Order>)> {
        // First of all the one by which it is known whether there is a console.
        let control = listen(&control::control_name(name))?;
        let listener = listen(name)?;
        let (typed, typist) = mpsc::channel(MAX_WAITING);
        let (orders, ordered) = mpsc::channel(MAX_ORDERS);
        let shared = Arc::new(Shared {
            backlog: Mutex::default(),
            end: watch::Sender::new(Some(0)),
            typed,
            typist: Arc::new(Mutex::new(typist)),
            orders,
            gives,
            attached: Mutex::default(),
            next: Mutex::default(),
            questions: Arc::new(Semaphore::new(MAX_WATCHERS)),
            agent_has_line: Arc::default(),
        });
        let watchers = AbortOnDropHandle::new(tokio::spawn(serve(listener, control, Arc::clone(&shared))));
        Ok((Self { shared, watchers }, ordered))
    }

    /// A tap that shows watchers what the board says, beside what `tap` does with it.
    pub fn tap(&self, tap: Tap) -> Tap {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |direction, bytes| {
            tap(direction, bytes);
            if direction == Direction::Rx {
                shared.push(bytes);
            }
        })
    }

    /// The same for a console on which an agent speaks: watchers see what is between its frames.
    pub fn tap_text(&self, tap: Tap) -> Tap {
        let shared = Arc::clone(&self.shared);
        let frames = Mutex::new(BetweenFrames::default());
        Arc::new(move |direction, bytes| {
            tap(direction, bytes);
            if direction == Direction::Rx {
                let text = frames.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
                shared.push(&text);
            }
        })
    }

    /// Tells something to those who are attached, on a line of its own.
    pub(super) fn teller(&self) -> Notice {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |text: &str| shared.push(format!("\r\n[{text}]\r\n").as_bytes()))
    }

    /// Where it is said whether an agent reads the line.
    pub(super) fn agent_has_line(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.agent_has_line)
    }

    /// What watchers type, for the console that is open now.
    pub(super) fn typist(&self) -> TypedBytes {
        Arc::clone(&self.shared.typist)
    }

    /// Ends the watchers' connections, once each has what the board has said. Those who want the board next, in their
    /// order: [`control::give`] gives it to one of them.
    pub async fn close(mut self) -> Vec<StdUnixStream> {
        self.shared.end.send_replace(None);
        // Whoever does not read gets no more time.
        let _ = tokio::time::timeout(REST_TIME, &mut self.watchers).await;
        std::mem::take(&mut *self.shared.next())
    }
}

fn listen(name: &str) -> io::Result<tokio::net::UnixListener> {
    tokio::net::UnixListener::from_std(abstract_socket::listen(name)?)
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
async fn serve(listener: tokio::net::UnixListener, control: tokio::net::UnixListener, shared: Arc<Shared>) {
    let mut watchers = JoinSet::new();
    let mut end = shared.end.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let refusal = refusal(&stream).or_else(|| {
                        (watchers.len() >= MAX_WATCHERS).then(|| format!("{MAX_WATCHERS} are attached already"))
                    });
                    match refusal {
                        None => drop(watchers.spawn(watch(stream, Arc::clone(&shared)))),
                        // It need not read it.
                        Some(why) => drop(stream.try_write(format!("\r\n[not attached: {why}]\r\n").as_bytes())),
                    }
                }
                Err(_) => tokio::time::sleep(SHORT_OF_DESCRIPTORS).await,
            },
            asked = control.accept() => match asked {
                Ok((stream, _)) => answers::answer(stream, &shared),
                Err(_) => tokio::time::sleep(SHORT_OF_DESCRIPTORS).await,
            },
            Some(_) = watchers.join_next() => {}
            // The sender outlives this task.
            () = async { drop(end.wait_for(Option::is_none).await) } => break,
        }
    }
    drop((listener, control));
    while watchers.join_next().await.is_some() {}
}

/// Whether the process at the other end is this user's, or root's.
pub(crate) fn may_attach(stream: &UnixStream) -> bool {
    refusal(stream).is_none()
}

/// Why the process at the other end may not attach, unless it is this user's, or root's.
fn refusal(stream: &UnixStream) -> Option<String> {
    let own = rustix::process::getuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == 0 || peer.uid() == own => None,
        Ok(_) => {
            let user = crate::board::lease::user_name(own);
            Some(format!("the console is open for user {user}: only that user and root may attach"))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// The process at the other end.
fn peer_of(stream: &UnixStream) -> Watcher {
    let peer = stream.peer_cred().ok();
    let pid = peer.as_ref().and_then(|peer| peer.pid()).unwrap_or_default();
    Watcher { pid, user: peer.map_or(0, |peer| peer.uid()) }
}

/// Shows a watcher the console, and has it on the list meanwhile.
async fn watch(stream: UnixStream, shared: Arc<Shared>) {
    let watcher = peer_of(&stream);
    shared.attached().push(watcher);
    show(stream, Arc::clone(&shared)).await;
    let mut attached = shared.attached();
    if let Some(at) = attached.iter().position(|other| *other == watcher) {
        attached.remove(at);
    }
}

/// Shows a watcher what the board says, and takes what it types.
async fn show(stream: UnixStream, shared: Arc<Shared>) {
    let (mut from_watcher, mut to_watcher) = stream.into_split();
    let typing = async {
        let mut bytes = vec![0; MAX_TYPED];
        while let Ok(count @ 1..) = from_watcher.read(&mut bytes).await {
            let typed = bytes.get(..count).unwrap_or_default().to_vec();
            if shared.typed.send(Typed::Bytes(typed)).await.is_err() {
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
