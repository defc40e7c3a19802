//! A network between one client and a server that loses, doubles and swaps what a plan says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{READ_REQUEST, opcode};

/// How long a packet is held back at most when none follows it, and how soon the relay sees that it is to end.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Pass,
    /// It is lost.
    Drop,
    /// It arrives twice.
    Double,
    /// It arrives behind the next one.
    Late,
}

/// A running relay for one client at a time.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    counts: Arc<[AtomicU64; 2]>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Relays to `server`; `plan` decides by direction, number of the packet from 1 in that direction, and content.
    ///
    /// # Panics
    /// When the loopback has no ports.
    pub fn start(
        server: SocketAddr,
        plan: impl FnMut(Direction, u64, &[u8]) -> Fate + Send + 'static,
    ) -> Self {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has ports");
        let sockets = [bind(), bind()];
        let address = sockets[0].local_addr().expect("a bound socket has an address");
        let counts = Arc::new([const { AtomicU64::new(0) }; 2]);
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Running {
            server,
            sockets,
            transfer: None,
            client: None,
            counts: Arc::clone(&counts),
            plan,
            held: [None, None],
        };
        let ends = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                running.turn().expect("sockets of the loopback work");
            }
        });
        Self { address, counts, stop, thread: Some(thread) }
    }

    /// Where the client is to send its request.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many packets were sent in a direction, lost ones too, without the copies that were made here.
    pub fn packets(&self, direction: Direction) -> u64 {
        self.counts[direction as usize].load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(ended.is_none_or(|ended| ended.is_ok()), "the relay ended in a panic");
        }
    }
}

struct Running<P> {
    server: SocketAddr,
    /// Towards the client, towards the server.
    sockets: [UdpSocket; 2],
    /// The server's port for this transfer.
    transfer: Option<SocketAddr>,
    client: Option<SocketAddr>,
    counts: Arc<[AtomicU64; 2]>,
    plan: P,
    held: [Option<Vec<u8>>; 2],
}

impl<P: FnMut(Direction, u64, &[u8]) -> Fate> Running<P> {
    fn turn(&mut self) -> io::Result<()> {
        let mut fds =
            [PollFd::new(&self.sockets[0], PollFlags::IN), PollFd::new(&self.sockets[1], PollFlags::IN)];
        let ready = poll(&mut fds, Some(&TICK))?;
        let [from_client, from_server] = [0, 1].map(|index: usize| !fds[index].revents().is_empty());
        if ready == 0 {
            for direction in [Direction::ToServer, Direction::ToClient] {
                self.release(direction);
            }
        }
        let mut datagram = vec![0; 65_536];
        if from_client && let Ok((length, from)) = self.sockets[0].recv_from(&mut datagram) {
            if opcode(&datagram) == READ_REQUEST && self.client != Some(from) {
                self.transfer = None;
            }
            self.client = Some(from);
            self.relay(Direction::ToServer, datagram.get(..length).unwrap_or_default());
        }
        if from_server && let Ok((length, from)) = self.sockets[1].recv_from(&mut datagram) {
            self.transfer = Some(from);
            self.relay(Direction::ToClient, datagram.get(..length).unwrap_or_default());
        }
        Ok(())
    }

    fn relay(&mut self, direction: Direction, datagram: &[u8]) {
        let number = self.counts[direction as usize].fetch_add(1, Ordering::Relaxed) + 1;
        match (self.plan)(direction, number, datagram) {
            Fate::Drop => {}
            Fate::Late if self.held[direction as usize].is_none() => {
                self.held[direction as usize] = Some(datagram.to_owned());
            }
            fate => {
                for _ in 0..if fate == Fate::Double { 2 } else { 1 } {
                    self.send(direction, datagram);
                }
                self.release(direction);
            }
        }
    }

    fn release(&mut self, direction: Direction) {
        if let Some(datagram) = self.held[direction as usize].take() {
            self.send(direction, &datagram);
        }
    }

    /// Sends; that a side is gone is for the other side to find out.
    fn send(&self, direction: Direction, datagram: &[u8]) {
        let (socket, to) = match direction {
            Direction::ToClient => (&self.sockets[0], self.client),
            Direction::ToServer if opcode(datagram) == READ_REQUEST => (&self.sockets[1], Some(self.server)),
            Direction::ToServer => (&self.sockets[1], self.transfer),
        };
        if let Some(to) = to {
            let _ = socket.send_to(datagram, to);
        }
    }
}
