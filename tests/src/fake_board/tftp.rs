//! U-Boot's TFTP client: RFC 1350 with block size (RFC 2348).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Bytes asked for per block; U-Boot's default.
const BLOCK_SIZE: usize = 1468;
const RETRIES: usize = 10;
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Largest file, in bytes.
const SIZE_LIMIT: usize = 256 << 20;

const READ: u8 = 1;
const DATA: u8 = 3;
const ACKNOWLEDGE: u8 = 4;
const ERROR: u8 = 5;
const OPTIONS_ACKNOWLEDGE: u8 = 6;

/// Why a file could not be fetched.
#[derive(Debug)]
pub(super) enum TftpError {
    /// The server's own error: code and text.
    Refused(u16, String),
    /// No answer, or a broken one.
    Io(io::Error),
}

impl From<io::Error> for TftpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Fetches the file `name` from `server`, as the board with `address`.
pub(super) fn fetch(address: IpAddr, server: SocketAddr, name: &str) -> Result<Vec<u8>, TftpError> {
    let socket = UdpSocket::bind((address, 0))?;
    socket.set_read_timeout(Some(RETRY_AFTER))?;
    let mut request = vec![0, READ];
    for field in [name, "octet", "blksize", &BLOCK_SIZE.to_string(), "tsize", "0"] {
        request.extend(field.as_bytes());
        request.push(0);
    }
    let mut transfer =
        Transfer { peer: server, to_send: request, file: Vec::new(), block_size: 512, next: 1 };
    let mut packet = vec![0; BLOCK_SIZE + 4];
    for _ in 0..RETRIES {
        socket.send_to(&transfer.to_send, transfer.peer)?;
        while let Ok((length, peer)) = socket.recv_from(&mut packet) {
            match transfer.handle(peer, &packet[..length])? {
                Step::Ignore => {}
                Step::Send => {
                    socket.send_to(&transfer.to_send, transfer.peer)?;
                }
                Step::Done => {
                    socket.send_to(&transfer.to_send, transfer.peer)?;
                    return Ok(transfer.file);
                }
            }
        }
    }
    Err(TftpError::Io(io::ErrorKind::TimedOut.into()))
}

struct Transfer {
    peer: SocketAddr,
    to_send: Vec<u8>,
    file: Vec<u8>,
    block_size: usize,
    next: u16,
}

enum Step {
    Ignore,
    Send,
    Done,
}

impl Transfer {
    fn handle(&mut self, peer: SocketAddr, packet: &[u8]) -> Result<Step, TftpError> {
        let started = self.to_send.get(1) != Some(&READ);
        if peer.ip() != self.peer.ip() || (started && peer != self.peer) {
            return Ok(Step::Ignore);
        }
        let [0, operation, rest @ ..] = packet else { return Ok(Step::Ignore) };
        match (*operation, rest) {
            (OPTIONS_ACKNOWLEDGE, options) if !started => {
                self.peer = peer;
                self.block_size = block_size(options);
                self.acknowledge(0);
                Ok(Step::Send)
            }
            (DATA, [high, low, data @ ..]) => {
                self.peer = peer;
                let block = u16::from_be_bytes([*high, *low]);
                if block != self.next {
                    return Ok(Step::Ignore);
                }
                self.file.extend_from_slice(data);
                if self.file.len() > SIZE_LIMIT {
                    return Err(TftpError::Io(io::ErrorKind::FileTooLarge.into()));
                }
                self.acknowledge(block);
                self.next = self.next.wrapping_add(1);
                Ok(if data.len() < self.block_size { Step::Done } else { Step::Send })
            }
            (ERROR, [high, low, text @ ..]) => {
                let text = String::from_utf8_lossy(text).trim_end_matches('\0').to_owned();
                Err(TftpError::Refused(u16::from_be_bytes([*high, *low]), text))
            }
            _ => Ok(Step::Ignore),
        }
    }

    fn acknowledge(&mut self, block: u16) {
        self.to_send = vec![0, ACKNOWLEDGE];
        self.to_send.extend(block.to_be_bytes());
    }
}

fn block_size(options: &[u8]) -> usize {
    let mut fields = options.split(|&byte| byte == 0);
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if name.eq_ignore_ascii_case(b"blksize")
            && let Some(size) = str::from_utf8(value).ok().and_then(|value| value.parse().ok())
        {
            return size;
        }
    }
    512
}
