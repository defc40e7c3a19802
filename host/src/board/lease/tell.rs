//! Telling who holds a lease, and asking.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Held, Holder, Process, Waiter};

/// Longest description of a holder in bytes; a socket takes it without waiting for its reader.
const MAX_HOLDER: usize = 64 * 1024;

/// How long a holder may take to say who it is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a teller that is refused descriptors waits until it tries again.
const SHORT_OF_DESCRIPTORS: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Holds listening sockets and tells whoever connects who holds them. Dropping it closes them.
#[derive(Debug)]
pub(super) struct Teller {
    /// `None` once the thread is told to end.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Vec<UnixListener>>>,
    told: Told,
}

/// What a teller tells.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Vec<u8>>>);

impl Told {
    /// Tells something else from now on.
    pub(super) fn set(&self, told: &impl Serialize) -> io::Result<()> {
        *self.lock() = serde_json::to_vec(told)?;
        Ok(())
    }

    /// Tells of `holder` from now on; the first word stays where it cannot be said.
    pub fn change(&self, change: impl FnOnce(&mut Holder)) {
        let mut text = self.lock();
        if let Ok(mut holder) = serde_json::from_slice::<Holder>(&text) {
            change(&mut holder);
            if let Ok(changed) = serde_json::to_vec(&holder) {
                *text = changed;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teller {
    /// Starts to tell; `listeners` must be non-blocking.
    ///
    /// # Errors
    /// Where the system refuses a pipe or a thread.
    pub(super) fn start(listeners: Vec<UnixListener>, told: &impl Serialize) -> io::Result<Self> {
        let text = Told::default();
        text.set(told)?;
        let (stopped, stop) = io::pipe()?;
        let other = text.clone();
        let thread = thread::Builder::new().name("lease".to_owned()).spawn(move || {
            tell(&listeners, &stopped, &other);
            listeners
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), told: text })
    }

    /// What it tells, which can be changed.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Ends the telling and gives the sockets back, which are bound all the time. Whoever asks meanwhile is answered by
    /// the next teller.
    pub(super) fn into_listeners(mut self) -> Vec<UnixListener> {
        self.end()
    }

    fn end(&mut self) -> Vec<UnixListener> {
        self.stop = None;
        // It never waits for anything but its sockets; one that panicked has closed them too.
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells `text` until the other end of `stopped` is closed.
fn tell(listeners: &[UnixListener], stopped: &PipeReader, text: &Told) {
    let mut ready: Vec<PollFd<'_>> = std::iter::once(stopped.as_fd())
        .chain(listeners.iter().map(UnixListener::as_fd))
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    loop {
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => {
                // The leases last while this thread does; nobody is told whose they are.
                let _ = io::copy(&mut &*stopped, &mut io::sink());
                return;
            }
        }
        let mut events = ready.iter().map(|fd| !fd.revents().is_empty());
        if events.next() == Some(true) {
            return;
        }
        let mut is_short = false;
        for (listener, _) in listeners.iter().zip(events).filter(|(_, ready)| *ready) {
            match listener.accept() {
                // Whoever asked may be gone, or may not read: that is not ours to wait for.
                Ok((mut stream, _)) => {
                    drop(stream.set_nonblocking(true).and_then(|()| stream.write_all(&text.lock())))
                }
                // Whoever asked has gone already.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Out of descriptors or memory: the socket stays ready, and looking again at once would change nothing.
                Err(_) => is_short = true,
            }
        }
        if is_short {
            // Its end is the only thing that counts meanwhile.
            let mut stop = [PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN)];
            let _ = poll(&mut stop, Some(&SHORT_OF_DESCRIPTORS));
        }
    }
}

/// Asks who holds the abstract name.
pub(super) fn ask(name: &str) -> Held {
    match connect(name) {
        // Where too many are waiting already it is another error.
        Err(Errno::CONNREFUSED) => Held::Free,
        Err(_) => Held::Silent(None),
        Ok(socket) => {
            // Of whoever began to listen there, also where it is stopped.
            let peer = rustix::net::sockopt::socket_peercred(&socket).ok();
            let process =
                peer.map(|peer| Process { pid: peer.pid.as_raw_nonzero().get(), user: peer.uid.as_raw() });
            answer::<Holder>(socket).map_or(Held::Silent(process), |holder| Held::By(holder.printable()))
        }
    }
}

/// Asks who waits at the abstract name: `None` where nobody does, `Some(None)` where somebody does not say who.
pub(super) fn ask_waiter(name: &str) -> Option<Option<Waiter>> {
    let socket = match connect(name) {
        Err(Errno::CONNREFUSED) => return None,
        Err(_) => return Some(None),
        Ok(socket) => socket,
    };
    let waiter = answer::<Waiter>(socket);
    Some(waiter.map(|waiter| Waiter { holder: waiter.holder.printable(), ..waiter }))
}

/// Whether somebody has the abstract name.
pub(super) fn is_taken(name: &str) -> bool {
    !matches!(connect(name), Err(Errno::CONNREFUSED))
}

/// Connects at once, or not at all.
fn connect(name: &str) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(socket)
}

/// What the holder says; `None` where it does not do so in time.
fn answer<T: DeserializeOwned>(socket: OwnedFd) -> Option<T> {
    let mut stream = UnixStream::from(socket);
    stream.set_nonblocking(false).ok()?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while text.len() < MAX_HOLDER {
        let left = deadline.saturating_duration_since(Instant::now());
        // A time-out of zero is refused by the standard library.
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut buffer).ok()? {
            0 => break,
            count => text.extend_from_slice(buffer.get(..count)?),
        }
    }
    serde_json::from_slice(&text).ok()
}

impl Holder {
    /// As it is, without what a terminal would obey in another user's text.
    fn printable(self) -> Self {
        Self { run: printable(&self.run), job: printable(&self.job), ..self }
    }
}

/// Another user's text without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
