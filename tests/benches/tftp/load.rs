//! What the clients do, and what it took.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use testbench::harness::median;
use testbench::tftp::Client;

use super::server::{FILE, MAX_CLIENTS, PROBE, Program};

/// How long the limit's partner may be silent.
const SILENCE: Duration = Duration::from_secs(5);

/// One load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) block_size: u16,
    pub(crate) window: u16,
    pub(crate) loses_one_of: u32,
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
    /// CPU time of the server.
    pub(crate) milliseconds_per_mebibyte: f64,
}

impl Measured {
    /// The median of each figure; `None` of nothing.
    pub(crate) fn median(all: Vec<Self>) -> Option<Self> {
        let middle = |value: fn(&Self) -> f64| median(all.iter().map(value));
        Some(Self {
            mebibytes_per_second: middle(|one| one.mebibytes_per_second)?,
            milliseconds_per_mebibyte: middle(|one| one.milliseconds_per_mebibyte)?,
        })
    }
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
        if program.is_limit() {
            self.ping(server.address)?;
        } else {
            self.fetch(server.address, &content)?;
        }
        let took = started.elapsed();
        server.stop()?;
        let busy = (cpu_of_children()? - before).saturating_sub(idle * 2);
        let mebibytes = (self.bytes * self.clients) as f64 / f64::from(1 << 20);
        Ok(Measured {
            mebibytes_per_second: mebibytes / took.as_secs_f64(),
            milliseconds_per_mebibyte: busy.as_secs_f64() * 1000.0 / mebibytes,
        })
    }

    fn fetch(&self, server: SocketAddr, content: &[u8]) -> io::Result<()> {
        let client = |index: usize| {
            // Different addresses, as boards have.
            let host = u8::try_from(index + 1).unwrap_or(MAX_CLIENTS).min(MAX_CLIENTS);
            let client = Client {
                local: SocketAddr::new(Ipv4Addr::new(127, 0, 0, host).into(), 0),
                block_size: (self.block_size != 512).then_some(self.block_size),
                window: (self.window > 1).then_some(self.window),
                patience: self.patience,
                loses_one_of: self.loses_one_of,
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
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients).map(|index| scope.spawn(move || client(index))).collect();
            clients
                .into_iter()
                .try_for_each(|client| client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Asks for as many datagrams as the file has blocks, a window at a time.
    fn ping(&self, server: SocketAddr) -> io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
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

/// Answers each datagram with as many and as long ones as it says, until it is killed.
pub(crate) fn pong(address: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(address)?;
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
