//! What a board's line can be, and opening it.

use std::os::fd::OwnedFd;

use tokio::net::TcpStream;

use crate::fault::Class;
use crate::net::Net;

use super::command::{self, CommandError};
use super::serial::{self, SerialError};
use super::tcp::{self, TcpError};
use super::{Console, Notice, Tap, TelnetStream};

/// Where a board's console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A serial port of this PC.
    Serial {
        /// Device, such as `/dev/ttyUSB0` or a stable link to it.
        path: std::path::PathBuf,
        /// Bits per second; 8N1, no flow control.
        baud: u32,
    },
    /// A raw TCP port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A telnet port (RFC 854), as ser2net serves it.
    Telnet {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A program whose standard input and output are the console; the program's name first.
    Command(Vec<String>),
}

impl Target {
    /// The console in the network that `text` names: `tcp://HOST:PORT` or `telnet://HOST:PORT`; `None` if it names none.
    pub fn in_network(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|&port: &u16| port != 0)?;
        let host = Some(host.to_owned()).filter(|host| !host.is_empty())?;
        match scheme {
            "tcp" => Some(Self::Tcp { host, port }),
            "telnet" => Some(Self::Telnet { host, port }),
            _ => None,
        }
    }
}

/// Why a console could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A serial port.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// A TCP or telnet port.
    #[error(transparent)]
    Tcp(#[from] TcpError),
    /// A program.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl OpenError {
    /// Whose fault it is: what the bench file or this PC's set-up gets wrong is the bench's, what is not there or
    /// taken is the infrastructure's.
    pub const fn class(&self) -> Class {
        match self {
            Self::Serial(
                SerialError::NoPort { .. }
                | SerialError::Unseen(..)
                | SerialError::Permission(_)
                | SerialError::Setup { .. },
            )
            | Self::Tcp(TcpError::Resolve { .. })
            | Self::Command(CommandError::Empty | CommandError::Start { .. }) => Class::Bench,
            Self::Serial(SerialError::Absent(_) | SerialError::Busy { .. })
            | Self::Tcp(TcpError::Connect { .. } | TcpError::Silent { .. })
            | Self::Command(CommandError::Ended { .. }) => Class::Infrastructure,
        }
    }

    /// What to do about a console server that the bench file's `board` is at; other consoles say so in their own words.
    pub fn server_help(&self, board: &str) -> Option<String> {
        match self {
            Self::Tcp(TcpError::Resolve { .. }) => Some(format!(
                "`console` in `[boards.{board}]` names it; `getent hosts NAME` shows what this PC finds, and an address \
                 does instead of a name"
            )),
            Self::Tcp(TcpError::Connect { .. } | TcpError::Silent { .. }) => Some(
                "look at the console server: is its program running (`systemctl status ser2net`), and does it listen at \
                 that port for other PCs too (`ss -ltn`)?"
                    .to_owned(),
            ),
            Self::Serial(_) | Self::Command(_) => None,
        }
    }
}

/// Opens the console at `target`; sockets are made in `net`.
///
/// # Errors
/// One variant of [`OpenError`] per kind of target, each saying what to do.
pub async fn open(target: &Target, net: &Net, tap: Tap, notice: Notice) -> Result<Console, OpenError> {
    Ok(match target {
        Target::Serial { path, baud } => Console::new(serial::open(path, *baud, notice)?, tap),
        Target::Tcp { host, port } => Console::new(tcp::connect(net, host, *port).await?, tap),
        Target::Telnet { host, port } => {
            Console::new(TelnetStream::new(tcp::connect(net, host, *port).await?), tap)
        }
        Target::Command(words) => Console::new(command::start(words)?, tap),
    })
}

/// As [`open`], of a line that another process has kept open, if it is one that can be.
///
/// # Errors
/// As of [`open`].
pub async fn adopt(
    target: &Target,
    net: &Net,
    line: Option<OwnedFd>,
    tap: Tap,
    notice: Notice,
) -> Result<Console, OpenError> {
    match (target, line) {
        (Target::Serial { path, baud }, Some(line)) => {
            Ok(Console::new(serial::adopt(path, *baud, notice, line)?, tap))
        }
        (Target::Tcp { .. }, Some(line)) => match adopt_tcp(line) {
            Ok(stream) => Ok(Console::new(stream, tap)),
            // The other side may have closed it meanwhile.
            Err(_) => open(target, net, tap, notice).await,
        },
        _ => open(target, net, tap, notice).await,
    }
}

fn adopt_tcp(line: OwnedFd) -> std::io::Result<TcpStream> {
    let stream = std::net::TcpStream::from(line);
    stream.peer_addr()?;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}
