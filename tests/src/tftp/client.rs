//! A client with the habits of a recent U-Boot: it repeats its last ACK after a silence, and once when blocks are missing.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::{ACK, DATA, ERROR, OPTION_ACK, READ_REQUEST, number, opcode};

/// Longest time that a transfer may make no progress.
const GIVE_UP: Duration = Duration::from_secs(30);

/// How a file is fetched.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where the server listens.
    pub server: SocketAddr,
    /// Own address; port 0 for any.
    pub local: SocketAddr,
    /// `blksize` to ask for, bytes.
    pub block_size: Option<u16>,
    /// `windowsize` to ask for, blocks.
    pub window: Option<u16>,
    /// How long it is silent before it repeats its last packet.
    pub patience: Duration,
    /// One of how many DATA packets it loses, by chance; 0 for none.
    pub loses_one_of: u32,
    /// One of how many of its own ACKs it loses, by chance; 0 for none. The last one of a file always goes out.
    pub loses_one_ack_of: u32,
    /// Seed of that chance.
    pub seed: u64,
}

/// What a transfer took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetched {
    /// Size of the file, bytes.
    pub bytes: u64,
    /// `DATA` packets that came, those that were lost on purpose too.
    pub packets: u64,
    /// Of them, those that were not the next one.
    pub unwanted: u64,
    /// Of them, those that were lost on purpose.
    pub lost: u64,
    /// How often it had to repeat its own last packet after a silence.
    pub repeats: u64,
    /// `tsize` as the server said.
    pub size: Option<u64>,
}

impl Client {
    /// Asks `server` for whole files without options, from any port of the loopback.
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server,
            local: SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), 0),
            block_size: None,
            window: None,
            patience: Duration::from_secs(5),
            loses_one_of: 0,
            loses_one_ack_of: 0,
            seed: 1,
        }
    }

    /// Fetches `name`, passing each block to `sink` once and in order.
    ///
    /// # Errors
    /// The server's ERROR as text; `TimedOut` after 30 s without progress; those of the socket.
    pub fn fetch(&self, name: &str, sink: impl FnMut(&[u8])) -> io::Result<Fetched> {
        let socket = UdpSocket::bind(self.local)?;
        socket.set_read_timeout(Some(self.patience))?;
        let mut state = State {
            client: self,
            chance: self.seed.max(1),
            sink,
            fetched: Fetched::default(),
            have: 0,
            block_size: 512,
            window: 1,
            acknowledged: 0,
            complained: false,
            over: false,
        };
        let mut last = self.request(name);
        let mut to = self.server;
        let mut progress = Instant::now();
        let mut datagram = vec![0; 65_536];
        socket.send_to(&last, to)?;
        while !state.over {
            match socket.recv_from(&mut datagram) {
                Ok((length, from)) => {
                    // The first answer fixes the server's port (RFC 1350 §4).
                    if to != self.server && from != to {
                        continue;
                    }
                    let before = state.have;
                    if let Some(block) = state.take(datagram.get(..length).unwrap_or_default())? {
                        to = from;
                        last.clear();
                        last.extend_from_slice(&ACK.to_be_bytes());
                        last.extend_from_slice(&block.to_be_bytes());
                        if state.over || !state.happens_once_in(self.loses_one_ack_of) {
                            socket.send_to(&last, to)?;
                        }
                    }
                    if state.have > before {
                        to = from;
                        progress = Instant::now();
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if progress.elapsed() >= GIVE_UP {
                        let text = format!("no block after {} of {name} for {GIVE_UP:?}", state.have);
                        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                    }
                    state.fetched.repeats += 1;
                    socket.send_to(&last, to)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(state.fetched)
    }

    /// Fetches `name`, which must be empty, with one request that is not repeated: whether a server listens.
    ///
    /// # Errors
    /// When the answer is another one, or none comes within the client's patience.
    pub fn answers(&self, name: &str) -> io::Result<()> {
        let socket = UdpSocket::bind(self.local)?;
        socket.set_read_timeout(Some(self.patience))?;
        socket.send_to(&self.request(name), self.server)?;
        let mut datagram = [0; 600];
        let (length, from) = socket.recv_from(&mut datagram)?;
        if opcode(&datagram) != DATA || length != 4 {
            return Err(io::Error::other("not an empty block"));
        }
        socket.send_to(&[ACK.to_be_bytes(), 1u16.to_be_bytes()].concat(), from).map(drop)
    }

    /// The read request's bytes.
    fn request(&self, name: &str) -> Vec<u8> {
        let mut request = READ_REQUEST.to_be_bytes().to_vec();
        let options = [("blksize", self.block_size), ("windowsize", self.window)];
        let mut strings = vec![name.to_owned(), "octet".to_owned()];
        for (option, value) in options {
            if let Some(value) = value {
                strings.extend([option.to_owned(), value.to_string()]);
            }
        }
        if strings.len() > 2 {
            strings.extend(["tsize", "0", "timeout", "5"].map(str::to_owned));
        }
        for string in strings {
            request.extend_from_slice(string.as_bytes());
            request.push(0);
        }
        request
    }
}

struct State<'a, S> {
    client: &'a Client,
    chance: u64,
    sink: S,
    fetched: Fetched,
    /// Blocks that are here without a gap.
    have: u64,
    block_size: usize,
    window: u64,
    /// The last block that was acknowledged: a window begins behind it.
    acknowledged: u64,
    /// Whether a missing block was already told, since the last one that came.
    complained: bool,
    over: bool,
}

impl<S: FnMut(&[u8])> State<'_, S> {
    /// Takes in one datagram; returns the block to acknowledge, if one is.
    fn take(&mut self, datagram: &[u8]) -> io::Result<Option<u16>> {
        match opcode(datagram) {
            OPTION_ACK if self.have == 0 => {
                self.accept(datagram.get(2..).unwrap_or_default());
                Ok(Some(0))
            }
            DATA => Ok(self.take_block(number(datagram, 2), datagram.get(4..).unwrap_or_default())),
            ERROR => {
                let text = String::from_utf8_lossy(datagram.get(4..).unwrap_or_default());
                let text = format!("error {}: {}", number(datagram, 2), text.trim_end_matches('\0'));
                Err(io::Error::other(text))
            }
            _ => Ok(None),
        }
    }

    fn take_block(&mut self, block: u16, payload: &[u8]) -> Option<u16> {
        self.fetched.packets += 1;
        if self.happens_once_in(self.client.loses_one_of) {
            self.fetched.lost += 1;
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "block numbers wrap at 65536")]
        if block != (self.have + 1) as u16 {
            self.fetched.unwanted += 1;
            self.acknowledged = self.have;
            return (!std::mem::replace(&mut self.complained, true)).then_some(self.have as u16);
        }
        self.have += 1;
        self.complained = false;
        (self.sink)(payload);
        self.fetched.bytes += payload.len() as u64;
        self.over = payload.len() < self.block_size;
        if !self.over && self.have - self.acknowledged < self.window {
            return None;
        }
        self.acknowledged = self.have;
        Some(block)
    }

    /// Takes over the options that the server granted.
    fn accept(&mut self, options: &[u8]) {
        let text = String::from_utf8_lossy(options);
        let mut strings = text.split('\0');
        while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
            match (name, value.parse::<u64>()) {
                ("blksize", Ok(value)) => self.block_size = usize::try_from(value).unwrap_or(usize::MAX),
                ("windowsize", Ok(value)) => self.window = value.max(1),
                ("tsize", Ok(value)) => self.fetched.size = Some(value),
                _ => {}
            }
        }
    }

    /// Whether something happens now that does so once in `times`; never if that is 0.
    fn happens_once_in(&mut self, times: u32) -> bool {
        times > 0 && self.random().is_multiple_of(u64::from(times))
    }

    /// Marsaglia's xorshift64.
    fn random(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance
    }
}
