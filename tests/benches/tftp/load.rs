//! What the clients do, and what it took.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use testbench::tftp::Client;

use super::server::{FILE, MAX_CLIENTS, PROBE, Program};

/// How long the limit's partner may be silent.
const SILENCE: Duration = Duration::from_secs(5);

/// One of how many packets the client loses; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) data: u32,
    pub(crate) acks: u32,
}

impl Loss {
    /// Nothing is lost.
    pub(crate) const NONE: Self = Self { data: 0, acks: 0 };

    /// One of `one_of` DATA packets is lost.
    pub(crate) const fn data(one_of: u32) -> Self {
        Self { data: one_of, acks: 0 }
    }

    /// One of `one_of` acknowledgements is lost.
    pub(crate) const fn acks(one_of: u32) -> Self {
        Self { data: 0, acks: one_of }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { data: 0, acks: 0 } => write!(f, "no loss"),
            Self { data, acks: 0 } => write!(f, "1 of {data} DATA packets lost"),
            Self { data: 0, acks } => write!(f, "1 of {acks} ACKs lost"),
            Self { data, acks } => write!(f, "1 of {data} DATA packets and 1 of {acks} ACKs lost"),
        }
    }
}

/// One load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) block_size: u16,
    pub(crate) window: u16,
    pub(crate) loss: Loss,
    pub(crate) clients: usize,
    /// What each client fetches.
    pub(crate) bytes: usize,
    pub(crate) patience: Duration,
    pub(crate) seed: u64,
}

/// What a load took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// All clients together.
    pub(crate) mebibytes_per_second: f64,
    /// CPU time of the server; `None` if it cannot be known.
    pub(crate) milliseconds_per_mebibyte: Option<f64>,
}

impl Load {
    /// Puts the load on a process of its own of `program`.
    pub(crate) fn measure(&self, program: &Program) -> io::Result<Measured> {
        let directory = tempfile::tempdir()?;
        let content: Vec<u8> = (0..self.bytes).map(|i| (i % 251) as u8).collect();
        fs::write(directory.path().join(FILE), &content)?;
        fs::write(directory.path().join(PROBE), "")?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let before = cpu_of_children()?;
        program.start(directory.path())?.stop()?;
        let idle = cpu_of_children()? - before;
        let server = program.start(directory.path())?;
        let started = Instant::now();
        let client = |index: usize| {
            if program.is_limit() {
                self.ping(index, server.address)
            } else {
                self.fetch(index, server.address, &content)
            }
        };
        let outcome = self.all_clients(client);
        let took = started.elapsed();
        server.stop()?;
        outcome?;
        let busy = (cpu_of_children()? - before).saturating_sub(idle * 2);
        let mebibytes = (self.bytes * self.clients) as f64 / f64::from(1 << 20);
        Ok(Measured {
            mebibytes_per_second: mebibytes / took.as_secs_f64(),
            milliseconds_per_mebibyte: (!program.hides_cpu_time())
                .then(|| busy.as_secs_f64() * 1000.0 / mebibytes),
        })
    }

    /// Runs `client` for the number of each client at once, and waits for all.
    fn all_clients(&self, client: impl Fn(usize) -> io::Result<()> + Sync) -> io::Result<()> {
        let client = &client;
        thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients).map(|index| scope.spawn(move || client(index))).collect();
            let join = |client: thread::ScopedJoinHandle<'_, _>| {
                client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            clients.into_iter().map(join).fold(Ok(()), io::Result::and)
        })
    }

    /// Fetches the file as client `index`, and compares it with `content`.
    fn fetch(&self, index: usize, server: SocketAddr, content: &[u8]) -> io::Result<()> {
        let client = Client {
            local: own_address(index),
            block_size: (self.block_size != 512).then_some(self.block_size),
            window: (self.window > 1).then_some(self.window),
            patience: self.patience,
            loses_one_of: self.loss.data,
            loses_one_ack_of: self.loss.acks,
            seed: self.seed * 1_000_003 + index as u64,
            ..Client::new(server)
        };
        let mut rest = content;
        let mut equal = true;
        let fetched = client.fetch(FILE, |block| {
            equal &= rest.starts_with(block);
            rest = rest.get(block.len()..).unwrap_or_default();
        })?;
        match equal && rest.is_empty() {
            true => Ok(()),
            false => Err(io::Error::other(format!("another content came: {fetched:?}"))),
        }
    }

    /// Asks for as many datagrams as the file has blocks, a window at a time.
    fn ping(&self, index: usize, server: SocketAddr) -> io::Result<()> {
        let socket = UdpSocket::bind(own_address(index))?;
        socket.connect(server)?;
        let (size, window) = (self.block_size, self.window);
        let mut datagram = vec![0; 65_536];
        let mut request = size.to_be_bytes().to_vec();
        request.extend(window.to_be_bytes());
        // Until it listens.
        let started = Instant::now();
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        while socket.send(&request).and_then(|_| socket.recv(&mut datagram)).is_err() {
            if started.elapsed() > SILENCE {
                return Err(io::Error::other(format!("no answer from {server} for {SILENCE:?}")));
            }
        }
        socket.set_read_timeout(Some(SILENCE))?;
        for _ in 1..window {
            socket.recv(&mut datagram)?;
        }
        for _ in 0..self.bytes / usize::from(size) / usize::from(window) {
            socket.send(&request)?;
            for _ in 0..window {
                socket.recv(&mut datagram)?;
            }
        }
        Ok(())
    }
}

/// Different addresses, as boards have.
fn own_address(index: usize) -> SocketAddr {
    let host = u8::try_from(index + 1).unwrap_or(MAX_CLIENTS).min(MAX_CLIENTS);
    SocketAddr::new(Ipv4Addr::new(127, 0, 0, host).into(), 0)
}

/// Answers each datagram with as many and as long ones as it says, on all processors, until it is killed.
pub(crate) fn pong(address: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    thread::scope(|scope| {
        for _ in 1..thread::available_parallelism()?.get() {
            scope.spawn(|| answer(&socket));
        }
        answer(&socket)
    })
}

fn answer(socket: &UdpSocket) -> io::Result<()> {
    let (mut request, answer) = ([0; 4], vec![0; 65_536]);
    loop {
        let (_, from) = socket.recv_from(&mut request)?;
        let [size, window] = [[request[0], request[1]], [request[2], request[3]]].map(u16::from_be_bytes);
        for _ in 0..window {
            socket.send_to(answer.get(..usize::from(size) + 4).unwrap_or_default(), from)?;
        }
    }
}

/// User and system time of all processes that have ended and were waited for.
fn cpu_of_children() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(microseconds.unsigned_abs()))
}
