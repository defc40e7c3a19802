//! A console on a serial port of this PC: exclusive, and patient with an adapter that is unplugged and comes back.
//!
//! A second descriptor of the port is kept for whoever has the board next: as long as it is open, what comes waits in the
//! kernel, and the modem lines keep their state. They keep it at the last close, too (no `HUPCL`, termios(3)), for on some
//! boards DTR or RTS is wired to reset.
//!
//! ```text
//!            EIO, end of file                    the path opens again
//! Open ────────────────────────▶ Lost ─────────────────────────────────▶ Open
//!                                 │ 30 s
//!                                 ▼
//!                                Gone
//! ```

mod driver;
mod holder;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::fs::{Access, Mode, OFlags, access, fstat, stat};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, ioctl_tiocexcl, ioctl_tiocnxcl, tcgetattr, tcsetattr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_serial::{ErrorKind, SerialPort as _, SerialPortBuilderExt as _, SerialStream};

pub(crate) use driver::driver_of;
pub(crate) use holder::Holder;

use super::{Notice, Port};

/// How long an unplugged adapter is waited for.
const REPLUG_LIMIT: Duration = Duration::from_secs(30);
/// How often its path is tried meanwhile.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// Why a serial port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SerialError {
    /// There is no such device.
    #[error("serial port {} is absent; is the adapter plugged in, and is the bench file's path right?", .0.display())]
    Absent(PathBuf),
    /// Something else is there.
    #[error("{} is {what} and no serial port; is the bench file's path right?", path.display())]
    NoPort {
        /// The path.
        path: PathBuf,
        /// What is there, in words.
        what: &'static str,
    },
    /// Whether it is there cannot be seen.
    #[error("serial port {} cannot be looked at", .0.display())]
    Unseen(PathBuf, #[source] io::Error),
    /// Another program has it.
    #[error("serial port {} is busy: {holder} has it open; end that program first", path.display())]
    Busy {
        /// The device.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// The device exists, but this user may not open it.
    #[error(
        "no permission to open serial port {}; add yourself to its group (`ls -l` shows it, often dialout) and log in again",
        .0.display()
    )]
    Permission(PathBuf),
    /// It does not take the settings, or there is nothing behind its name.
    #[error("serial port {} cannot be set to {baud} baud 8N1: {reason}", path.display())]
    Setup {
        /// The device.
        path: PathBuf,
        /// Bits per second.
        baud: u32,
        /// The system's word.
        reason: String,
    },
}

/// A serial port that was unplugged and did not come back in time; the source of the line's [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("serial port {} is gone: unplugged {} s ago; last attempt to open it: {last}", path.display(), waited.as_secs())]
pub struct Gone {
    /// The device.
    pub path: PathBuf,
    /// How long it was waited for.
    pub waited: Duration,
    /// What the last attempt said.
    #[source]
    pub last: SerialError,
}

/// An open serial port that outlives the adapter's being unplugged for a while.
pub(super) struct SerialLine {
    path: PathBuf,
    baud: u32,
    notice: Notice,
    state: State,
    // One timer each way, for reader and writer may be different tasks.
    read_retry: Pin<Box<Sleep>>,
    write_retry: Pin<Box<Sleep>>,
}

enum State {
    Open(OpenPort),
    Lost { since: Instant },
}

/// A port that is open.
struct OpenPort {
    stream: SerialStream,
    /// The same port, for whoever has it next.
    kept: OwnedFd,
}

impl fmt::Debug for SerialLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialLine")
            .field("path", &self.path)
            .field("baud", &self.baud)
            .finish_non_exhaustive()
    }
}

/// Opens the port at `path`, for this process alone, at `baud` bits per second, 8N1, without flow control.
///
/// # Errors
/// [`SerialError`].
pub(super) fn open(path: &Path, baud: u32, notice: Notice) -> Result<SerialLine, SerialError> {
    Ok(SerialLine::new(path, baud, notice, open_port(path, baud)?))
}

/// As [`open`], of a port that another process has kept open: what came meanwhile is still to be read. One that is not the
/// port at `path` any more is closed, and that one opened.
///
/// # Errors
/// [`SerialError`].
pub(super) fn adopt(
    path: &Path,
    baud: u32,
    notice: Notice,
    kept: OwnedFd,
) -> Result<SerialLine, SerialError> {
    let is_same = fstat(&kept)
        .is_ok_and(|it| stat(path).is_ok_and(|other| it.st_rdev == other.st_rdev && it.st_rdev != 0));
    if !is_same {
        drop(kept);
        return open(path, baud, notice);
    }
    // Set so that nobody opened it in between.
    let _ = ioctl_tiocnxcl(&kept);
    Ok(SerialLine::new(path, baud, notice, OpenPort { stream: open_stream(path, baud)?, kept }))
}

/// Whether this user may open the port at `path`, without opening it; one that is absent may still be plugged in.
///
/// # Errors
/// [`SerialError::Permission`].
pub(crate) fn check_permission(path: &Path) -> Result<(), SerialError> {
    match access(path, Access::READ_OK | Access::WRITE_OK) {
        Err(Errno::ACCESS | Errno::PERM) => Err(SerialError::Permission(path.to_owned())),
        _ => Ok(()),
    }
}

/// Whether the port at `path` could be opened, as far as can be seen without opening it.
///
/// # Errors
/// As of [`driver_of`], [`SerialError::Permission`] or [`SerialError::Busy`].
pub(crate) fn check_serial(path: &Path) -> Result<(), SerialError> {
    driver_of(path)?;
    check_permission(path)?;
    check_free(path)
}

/// Whether nobody that this user can see has the port open.
fn check_free(path: &Path) -> Result<(), SerialError> {
    match Holder::of(path) {
        Some(holder) => Err(SerialError::Busy { path: path.to_owned(), holder: holder.to_string() }),
        None => Ok(()),
    }
}

fn open_port(path: &Path, baud: u32) -> Result<OpenPort, SerialError> {
    driver_of(path)?;
    // Whoever opened the port without a lock would share its bytes with us: look before opening.
    check_free(path)?;
    // Before the other one, which nobody may open a second time.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let kept = rustix::fs::open(path, flags, Mode::empty());
    let stream = open_stream(path, baud)?;
    let setup = |error: Errno| SerialError::Setup { path: path.to_owned(), baud, reason: error.to_string() };
    let kept = kept.map_err(setup)?;
    let mut settings = tcgetattr(&kept).map_err(setup)?;
    settings.control_modes -= ControlModes::HUPCL;
    tcsetattr(&kept, OptionalActions::Now, &settings).map_err(setup)?;
    Ok(OpenPort { stream, kept })
}

fn open_stream(path: &Path, baud: u32) -> Result<SerialStream, SerialError> {
    // The default of `exclusive` is on: TIOCEXCL and flock.
    tokio_serial::new(path.to_string_lossy(), baud).open_native_async().map_err(|error| match error.kind() {
        ErrorKind::Io(io::ErrorKind::NotFound) => SerialError::Absent(path.to_owned()),
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => SerialError::Permission(path.to_owned()),
        // What the crate makes of EBUSY, and of a lock that is taken.
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::WouldBlock) if path.exists() => {
            // Other users' open files are not shown to us.
            let holder = format!("another program (`sudo fuser -v {}` names it)", path.display());
            SerialError::Busy { path: path.to_owned(), holder }
        }
        // ENXIO, ENODEV: the node is a left-over.
        _ if !path.exists() => SerialError::Absent(path.to_owned()),
        _ => SerialError::Setup { path: path.to_owned(), baud, reason: error.to_string() },
    })
}

impl SerialLine {
    fn new(path: &Path, baud: u32, notice: Notice, port: OpenPort) -> Self {
        Self {
            path: path.to_owned(),
            baud,
            notice,
            state: State::Open(port),
            read_retry: Box::pin(sleep(Duration::ZERO)),
            write_retry: Box::pin(sleep(Duration::ZERO)),
        }
    }

    fn lose(&mut self, error: Option<&io::Error>) {
        let path = self.path.display();
        let why = error.map_or_else(|| "end of file".to_owned(), ToString::to_string);
        (self.notice)(&format!(
            "serial port {path} was unplugged ({why}); waiting up to {} s for it to come back",
            REPLUG_LIMIT.as_secs()
        ));
        self.state = State::Lost { since: Instant::now() };
    }

    /// Waits for the port to be open; `retry` picks the caller's timer.
    fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
        retry: fn(&mut Self) -> &mut Pin<Box<Sleep>>,
    ) -> Poll<io::Result<&mut SerialStream>> {
        while let State::Lost { since } = self.state {
            match open_port(&self.path, self.baud) {
                Ok(port) => {
                    (self.notice)(&format!("serial port {} is back", self.path.display()));
                    self.state = State::Open(port);
                }
                Err(last) => {
                    let waited = since.elapsed();
                    if waited >= REPLUG_LIMIT {
                        let gone = Gone { path: self.path.clone(), waited, last };
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, gone)));
                    }
                    let timer = retry(self);
                    timer.as_mut().reset(Instant::now() + RETRY_EVERY);
                    ready!(timer.as_mut().poll(cx));
                }
            }
        }
        match &mut self.state {
            State::Open(port) => Poll::Ready(Ok(&mut port.stream)),
            State::Lost { .. } => Poll::Pending,
        }
    }

    fn read_timer(&mut self) -> &mut Pin<Box<Sleep>> {
        &mut self.read_retry
    }

    fn write_timer(&mut self) -> &mut Pin<Box<Sleep>> {
        &mut self.write_retry
    }
}

impl Port for SerialLine {
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        match &self.state {
            State::Open(port) if on => Ok(port.stream.set_break()?),
            State::Open(port) => Ok(port.stream.clear_break()?),
            State::Lost { .. } => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn can_change_hands(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    fn into_descriptor(self: Box<Self>) -> Option<OwnedFd> {
        let State::Open(OpenPort { stream, kept }) = self.state else { return None };
        drop(stream);
        // For as long as nobody reads it; whoever does sets its own.
        let _ = ioctl_tiocexcl(&kept);
        Some(kept)
    }
}

impl AsyncRead for SerialLine {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let before = buf.filled().len();
            let port = ready!(this.poll_open(cx, Self::read_timer))?;
            match ready!(Pin::new(port).poll_read(cx, buf)) {
                Ok(()) if buf.filled().len() > before => return Poll::Ready(Ok(())),
                Ok(()) => this.lose(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => this.lose(Some(&error)),
            }
        }
    }
}

impl AsyncWrite for SerialLine {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let port = ready!(this.poll_open(cx, Self::write_timer))?;
            match ready!(Pin::new(port).poll_write(cx, buf)) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => this.lose(Some(&error)),
            }
        }
    }

    /// Waits for nothing: `tcdrain` would block the whole thread, and the next read orders what matters.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
