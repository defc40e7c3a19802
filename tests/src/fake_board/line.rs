//! The line between runner and board: two byte streams.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::harness::PATIENCE;

/// The board's end of its line.
pub struct Line {
    /// What the runner types.
    pub input: Box<dyn Read + Send>,
    /// What the board says.
    pub output: Box<dyn Write + Send>,
}

impl Line {
    /// Standard input and output of this process.
    pub fn stdio() -> Self {
        Self { input: Box::new(io::stdin()), output: Box::new(Unbuffered) }
    }

    /// The first connection to `address`; the port is told on standard error.
    ///
    /// # Errors
    /// Those of the sockets.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        writeln!(io::stderr(), "listening on {}", listener.local_addr()?)?;
        Self::connection(listener.accept()?.0)
    }

    /// An open TCP connection.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn connection(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { input: Box::new(stream.try_clone()?), output: Box::new(Connection(stream)) })
    }
}

/// A connection that ends with the board, though the reader still waits on it.
struct Connection(TcpStream);

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Closed by the other side already is as good.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Standard output without the line buffer that would hold prompts back.
struct Unbuffered;

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pseudo-terminal, used as a null-modem cable: the board holds one end, the runner opens the other by path.
#[derive(Debug)]
pub struct PtyPair {
    board: OwnedFd,
    path: PathBuf,
    link: Option<PathBuf>,
}

impl PtyPair {
    /// Makes a pseudo-terminal in raw mode.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&board)?;
        unlockpt(&board)?;
        let path = PathBuf::from(OsStr::from_bytes(ptsname(&board, Vec::new())?.as_bytes()));
        let pair = Self { board, path, link: None };
        let port = pair.open()?;
        let mut termios = tcgetattr(&port)?;
        termios.make_raw();
        tcsetattr(&port, OptionalActions::Now, &termios)?;
        Ok(pair)
    }

    /// Makes a pseudo-terminal that is found at `link`, the adapter's stable name, until this value is dropped.
    ///
    /// # Errors
    /// Those of the system.
    pub fn linked(link: &Path) -> io::Result<Self> {
        let mut pair = Self::new()?;
        std::os::unix::fs::symlink(&pair.path, link)?;
        pair.link = Some(link.to_owned());
        Ok(pair)
    }

    /// Where the runner's end is: the link if there is one.
    pub fn path(&self) -> &Path {
        self.link.as_deref().unwrap_or(&self.path)
    }

    /// Hangs up, as an adapter that is pulled out. As long as what comes of it lives, no other terminal has the number of
    /// this one: whoever still claims it would keep that one's user away.
    ///
    /// # Errors
    /// Those of the system.
    pub fn hang_up(self) -> io::Result<File> {
        self.open()
    }

    /// Opens the runner's end.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.path, flags, Mode::empty())?.into())
    }

    /// Waits until somebody has the runner's end open.
    ///
    /// # Errors
    /// Those of the system, and that nobody has come within [`PATIENCE`].
    pub fn wait_for_peer(&self) -> io::Result<()> {
        let started = Instant::now();
        loop {
            let mut state = [PollFd::new(&self.board, PollFlags::empty())];
            poll(&mut state, Some(&Timespec::default()))?;
            if !state[0].revents().contains(PollFlags::HUP) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                let text = format!("waited {PATIENCE:?} for somebody to open {}", self.path().display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            thread::sleep(CARRIER_CHECK);
        }
    }

    /// The board's end.
    ///
    /// # Errors
    /// Those of the system.
    pub fn board(&self) -> io::Result<File> {
        Ok(self.board.try_clone()?.into())
    }

    /// The board's end as a line.
    ///
    /// # Errors
    /// Those of the system.
    pub fn line(&self) -> io::Result<Line> {
        Ok(Line { input: Box::new(PtyReader { board: self.board()? }), output: Box::new(self.board()?) })
    }
}

impl Drop for PtyPair {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // Gone already is as good.
            let _ = std::fs::remove_file(link);
        }
    }
}

/// How often a port that nobody has open is looked at.
const CARRIER_CHECK: Duration = Duration::from_millis(10);

/// The board's end as a UART has it: it does not end when nobody has the other end open.
struct PtyReader {
    board: File,
}

impl Read for PtyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.board.read(buffer) {
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    thread::sleep(CARRIER_CHECK);
                }
                result => return result,
            }
        }
    }
}
