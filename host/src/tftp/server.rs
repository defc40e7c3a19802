//! The server: sockets, time and events around [`Transfer`].

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::packet::{ErrorCode, Packet, PacketError, Request, is_error};
use super::session::{Control, Events, Session};
use super::source::{Content, Source};
use super::table::Table;
use super::transfer::{Failure, Policy, Transfer};
use crate::net::Net;

/// Most transfers at once.
const MAX_TRANSFERS: usize = 256;
/// Most transfers at once to one address: a board that is reset again and again leaves some behind.
const MAX_TRANSFERS_PER_PEER: usize = 16;
/// Requests may have 512 bytes (RFC 2347); acknowledgements and errors are shorter.
const MAX_REQUEST: usize = 1500;
/// A board cannot be reset and ask again within this time of its last answer.
const RESET: Duration = Duration::from_secs(1);

/// Something that happened to a request.
#[derive(Clone, Debug)]
pub struct TftpEvent {
    /// Who asked.
    pub peer: SocketAddr,
    /// For which name, as sent; empty if the request was not readable.
    pub name: String,
    /// What happened.
    pub kind: TftpEventKind,
}

/// What happened to a request.
#[derive(Clone, Debug)]
pub enum TftpEventKind {
    /// A transfer started.
    Started {
        /// Size of the file in bytes.
        size: u64,
        /// Block size in bytes.
        block_size: u64,
        /// Window in blocks.
        window: u64,
    },
    /// A transfer went on; at most five times a second.
    Progress {
        /// Bytes that the client has acknowledged.
        done: u64,
        /// Size of the file in bytes.
        total: u64,
    },
    /// The client has the whole file.
    Done {
        /// Size of the file in bytes.
        bytes: u64,
        /// How long the transfer took.
        took: Duration,
        /// Block size in bytes.
        block_size: u64,
        /// Window in blocks.
        window: u64,
        /// Blocks that were sent more than once.
        retransmits: u64,
    },
    /// The transfer ended early.
    Failed(Failure),
    /// The request was not granted.
    Refused(Refusal),
}

/// Why a request was not granted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing is served to this address; it gets no answer.
    #[error("nothing is served to this address")]
    UnknownPeer,
    /// The address has files, but none of this name.
    #[error("no such file")]
    NoSuchFile,
    /// The client wants to write.
    #[error("the server is read-only")]
    ReadOnly,
    /// The request is not one.
    #[error("not a request")]
    Malformed(#[source] PacketError),
    /// There are too many transfers, of this address or in all.
    #[error("too many transfers at once")]
    Busy,
    /// The file cannot be opened.
    #[error("the file cannot be opened")]
    Open(#[source] Arc<io::Error>),
    /// No socket could be made for the transfer.
    #[error("no socket for the transfer")]
    Socket(#[source] Arc<io::Error>),
}

impl Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchFile => ErrorCode::FileNotFound,
            Self::UnknownPeer | Self::ReadOnly => ErrorCode::AccessViolation,
            Self::Malformed(_) => ErrorCode::IllegalOperation,
            Self::Busy | Self::Open(_) | Self::Socket(_) => ErrorCode::NotDefined,
        }
    }

    /// What the client is told.
    fn packet(&self) -> Vec<u8> {
        Packet::Error { code: self.code(), message: self.to_string() }.to_vec()
    }
}

/// The server's address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve TFTP on {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The system's error; ports below 1024 need a privilege.
    #[source]
    pub source: io::Error,
}

/// A TFTP server that is bound to its address.
#[derive(Debug)]
pub struct Server {
    net: Net,
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    table: Arc<Table>,
}

impl Server {
    /// Binds to `address`; requests are answered as soon as [`Self::run`] is called.
    ///
    /// # Errors
    /// [`BindError`] if the address is not ours, in use, or not permitted.
    pub async fn bind(net: Net, address: SocketAddr, table: Arc<Table>) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let socket = net.bind_udp(address).await.map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        Ok(Self { net, socket: Arc::new(socket), local, table })
    }

    /// Serves until `stop`; then tells the clients of running transfers, and returns when all have ended.
    ///
    /// # Errors
    /// The socket's, when it cannot be used any more.
    pub async fn run(
        self,
        events: impl Fn(TftpEvent) + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let mut service = Service { server: self, events: Arc::new(events), active: HashMap::new() };
        let mut tasks = JoinSet::new();
        let mut datagram = vec![0; MAX_REQUEST];
        let result = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                Some(ended) = tasks.join_next_with_id() => service.forget(match &ended {
                    Ok((id, ())) => *id,
                    Err(error) => error.id(),
                }),
                received = service.server.socket.recv_from(&mut datagram) => match received {
                    Ok((length, peer)) => {
                        let datagram = datagram.get(..length).unwrap_or_default();
                        service.handle_datagram(peer, datagram, &mut tasks).await;
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => break Err(error),
                },
            }
        };
        for active in service.active.values() {
            active.control.end(Failure::Stopped);
        }
        while tasks.join_next().await.is_some() {}
        result
    }
}

/// A running server and its transfers.
struct Service {
    server: Server,
    events: Events,
    active: HashMap<SocketAddr, Active>,
}

/// A running transfer, as the server sees it.
struct Active {
    task: Id,
    request: Request,
    control: Arc<Control>,
    _strays: AbortOnDropHandle<()>,
}

impl Service {
    fn forget(&mut self, task: Id) {
        self.active.retain(|_, active| active.task != task);
    }

    async fn handle_datagram(&mut self, peer: SocketAddr, datagram: &[u8], tasks: &mut JoinSet<()>) {
        let (name, result) = match Packet::parse(datagram) {
            Ok(Packet::ReadRequest(request)) => {
                (request.name.clone(), self.handle_request(peer, request, tasks).await)
            }
            Ok(Packet::WriteRequest(request)) => (request.name, Err(Refusal::ReadOnly)),
            // Never answered: an ERROR (RFC 1350 §7), and what a stray client sends to the wrong port.
            Ok(_) => return,
            Err(_) if is_error(datagram) => return,
            Err(error) => (String::new(), Err(Refusal::Malformed(error))),
        };
        let Err(mut refusal) = result else { return };
        if self.server.table.serves(peer.ip()) {
            // A refusal that cannot be sent is like one that is lost: the client asks again.
            let _ = self.server.socket.send_to(&refusal.packet(), peer).await;
        } else {
            refusal = Refusal::UnknownPeer;
        }
        (self.events)(TftpEvent { peer, name, kind: TftpEventKind::Refused(refusal) });
    }

    async fn handle_request(
        &mut self,
        peer: SocketAddr,
        request: Request,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), Refusal> {
        let source = self.server.table.find(peer.ip(), &request.name).ok_or(Refusal::NoSuchFile)?;
        if let Some(active) = self.active.get(&peer) {
            if active.request == request && active.control.silence().is_none_or(|silence| silence < RESET) {
                // The answer was lost or is late, and the transfer's timer sends it again, to one port only; or it came
                // after the client had repeated its request, which waited here while the transfer went on.
                return Ok(());
            }
            active.control.end(Failure::Replaced);
            self.active.remove(&peer);
        }
        let of_peer = self.active.keys().filter(|active| active.ip() == peer.ip()).count();
        if tasks.len() >= MAX_TRANSFERS || of_peer >= MAX_TRANSFERS_PER_PEER {
            return Err(Refusal::Busy);
        }
        let (strays, socket) =
            self.transfer_sockets(peer).await.map_err(|error| Refusal::Socket(error.into()))?;
        let control = Arc::new(Control::new(Arc::clone(&socket)));
        let granted = Granted {
            peer,
            request: request.clone(),
            source,
            socket,
            control: Arc::clone(&control),
            events: Arc::clone(&self.events),
            server: Arc::clone(&self.server.socket),
        };
        let task = tasks.spawn_blocking(move || granted.run()).id();
        let strays = AbortOnDropHandle::new(tokio::spawn(refuse_strays(strays)));
        self.active.insert(peer, Active { task, request, control, _strays: strays });
        Ok(())
    }

    /// Makes the sockets of one transfer: their port is the server's transfer id (RFC 1350 §4). The second receives
    /// what `peer` sends, the first what anybody else sends.
    async fn transfer_sockets(&self, peer: SocketAddr) -> io::Result<(UdpSocket, Arc<std::net::UdpSocket>)> {
        let net = &self.server.net;
        let strays = net.bind_udp(SocketAddr::new(self.server.local.ip(), 0)).await?;
        let socket = net.connect_udp_beside(&strays, peer).await?;
        Ok((strays, Arc::new(socket)))
    }
}

/// A request that is granted if its file can be opened, which may wait for a disk: on the thread of the transfer, so that
/// others are served meanwhile.
struct Granted {
    peer: SocketAddr,
    request: Request,
    source: Source,
    /// Of the transfer.
    socket: Arc<std::net::UdpSocket>,
    control: Arc<Control>,
    events: Events,
    /// For the refusal.
    server: Arc<UdpSocket>,
}

impl Granted {
    fn run(self) {
        let Self { peer, request, source, socket, control, events, server } = self;
        let opened = Content::open(source, request.mode);
        let emit = |kind| events(TftpEvent { peer, name: request.name.clone(), kind });
        if let Some(why) = control.ended() {
            // The client must not take the first block for an answer to its next request.
            return emit(TftpEventKind::Failed(why.clone()));
        }
        match opened {
            Ok(content) => {
                let transfer = Transfer::new(&request, content.size(), Policy::default(), Instant::now());
                let name = request.name.clone();
                let events = Arc::clone(&events);
                Session { peer, name, socket, content, transfer, control, events }.run();
            }
            Err(error) => {
                let refusal = Refusal::Open(error.into());
                // As good as lost: the client asks again.
                let _ = server.try_send_to(&refusal.packet(), peer);
                emit(TftpEventKind::Refused(refusal));
            }
        }
    }
}

/// Tells everybody who sends to a transfer that is not theirs so (RFC 1350 §4).
async fn refuse_strays(socket: UdpSocket) {
    let message = "this transfer is somebody else's".to_owned();
    let refusal = Packet::Error { code: ErrorCode::UnknownTransferId, message }.to_vec();
    let mut datagram = [0; MAX_REQUEST];
    loop {
        match socket.recv_from(&mut datagram).await {
            // An ERROR is not answered, least of all by another one.
            Ok((length, _)) if is_error(datagram.get(..length).unwrap_or_default()) => {}
            Ok((_, peer)) => {
                // As good as lost; whoever it is sends again.
                let _ = socket.send_to(&refusal, peer).await;
            }
            // Then nobody is told; the transfer does not need this socket.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
