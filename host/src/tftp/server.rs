//! The server: sockets, time and events around [`Transfer`].

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::event::{Refusal, TftpEvent, TftpEventKind};
use super::packet::{ErrorCode, Packet, Request, is_error};
use super::session::{Control, Events, STACK, Session};
use super::shared_thread::{Ended, SharedThread};
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
/// Addresses to which nothing is served that are told about, each once.
const MAX_STRANGERS: usize = 64;
/// Transfers that have a thread each; more share some.
const OWN_THREADS: usize = 8;
/// Threads that many transfers share, if there are as many processors.
const MAX_SHARED_THREADS: usize = 4;
/// How long the end of the transfers is waited for when the server stops: one that a disk keeps ends with the program.
const STOP_TIME: Duration = Duration::from_secs(5);

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
    /// [`OWN_THREADS`], but in tests.
    own_threads: usize,
}

impl Server {
    /// Binds to `address`; requests are answered as soon as [`Self::run`] is called.
    ///
    /// # Errors
    /// [`BindError`] if the address is not ours, in use, or not permitted.
    pub async fn bind(net: Net, address: SocketAddr, table: Arc<Table>) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let socket = net.bind_udp(address).await.map_err(failed)?;
        Self::on(net, socket, address.ip(), table).map_err(failed)
    }

    /// Answers what comes to `socket`, which is of `net`. It may be one of all addresses; transfers are answered from
    /// `address`, the one that boards ask at.
    ///
    /// # Errors
    /// Where the socket's port cannot be read.
    pub fn on(net: Net, socket: UdpSocket, address: IpAddr, table: Arc<Table>) -> io::Result<Self> {
        let local = SocketAddr::new(address, socket.local_addr()?.port());
        Ok(Self { net, socket: Arc::new(socket), local, table, own_threads: OWN_THREADS })
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
        let mut service = Service {
            server: self,
            events: Arc::new(events),
            active: HashMap::new(),
            strangers: HashSet::new(),
            transfers: JoinSet::new(),
            shared: Vec::new(),
        };
        let mut datagram = vec![0; MAX_REQUEST];
        let result = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(ended) = service.transfers.join_next_with_id() => service.handle_end(ended).await,
                received = service.server.socket.recv_from(&mut datagram) => match received {
                    Ok((length, peer)) => {
                        service.handle_datagram(peer, datagram.get(..length).unwrap_or_default()).await;
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => break Err(error),
                },
            }
        };
        for active in service.active.values() {
            active.control.end(Failure::Stopped);
        }
        let all = async { while service.transfers.join_next().await.is_some() {} };
        // Whoever still waits for a disk then has told its client nothing that is wrong.
        let _ = tokio::time::timeout(STOP_TIME, all).await;
        result
    }
}

/// A running server and its transfers.
struct Service {
    server: Server,
    events: Events,
    active: HashMap<SocketAddr, Active>,
    /// Addresses to which nothing is served and that have asked.
    strangers: HashSet<IpAddr>,
    /// The ends of the transfers: whether the client has the file.
    transfers: JoinSet<bool>,
    shared: Vec<Arc<SharedThread>>,
}

/// A running transfer, as the server sees it.
struct Active {
    task: Id,
    request: Request,
    control: Arc<Control>,
    /// The same request came after the last block was sent.
    asked_again: bool,
    _strays: AbortOnDropHandle<()>,
}

impl Service {
    /// Forgets a transfer that has ended, and begins the next one if its client has asked for it meanwhile.
    async fn handle_end(&mut self, ended: Result<(Id, bool), JoinError>) {
        let (task, done) = ended.unwrap_or_else(|error| (error.id(), false));
        let Some((&peer, _)) = self.active.iter().find(|(_, active)| active.task == task) else { return };
        let Some(Active { request, asked_again, .. }) = self.active.remove(&peer) else { return };
        if done && asked_again {
            let name = request.name.clone();
            let result = self.handle_request(peer, request).await;
            self.tell(peer, name, result).await;
        }
    }

    async fn handle_datagram(&mut self, peer: SocketAddr, datagram: &[u8]) {
        let (name, result) = match Packet::parse(datagram) {
            Ok(Packet::ReadRequest(request)) => {
                (request.name.clone(), self.handle_request(peer, request).await)
            }
            Ok(Packet::WriteRequest(request)) => (request.name, Err(Refusal::ReadOnly)),
            // Never answered: an ERROR (RFC 1350 §7), and what a stray client sends to the wrong port.
            Ok(_) => return,
            Err(_) if is_error(datagram) => return,
            Err(error) => (String::new(), Err(Refusal::Malformed(error))),
        };
        self.tell(peer, name, result).await;
    }

    /// Tells client and user that a request is refused, if it is.
    async fn tell(&mut self, peer: SocketAddr, name: String, result: Result<(), Refusal>) {
        let Err(mut refusal) = result else { return };
        if self.server.table.serves(peer.ip()) {
            // A refusal that cannot be sent is like one that is lost: the client asks again.
            let _ = self.server.socket.send_to(&refusal.packet(), peer).await;
        } else {
            // Anybody can send anything from any address.
            if self.strangers.len() >= MAX_STRANGERS || !self.strangers.insert(peer.ip()) {
                return;
            }
            refusal = Refusal::UnknownPeer;
        }
        (self.events)(TftpEvent { peer, name, kind: TftpEventKind::Refused(refusal) });
    }

    async fn handle_request(&mut self, peer: SocketAddr, request: Request) -> Result<(), Refusal> {
        let source = self.server.table.find(peer.ip(), &request.name).ok_or(Refusal::NoSuchFile)?;
        if let Some(active) = self.active.get_mut(&peer) {
            if active.request == request && active.control.silence().is_none_or(|silence| silence < RESET) {
                // The answer was lost or is late, and the transfer's timer sends it again, to one port only; or it came
                // after the client had repeated its request, which waited here while the transfer went on. Or the client
                // has everything and asks anew, which is known once its last acknowledgement is seen.
                active.asked_again = active.control.has_sent_all();
                return Ok(());
            }
            active.control.end(Failure::Replaced);
            self.active.remove(&peer);
        }
        let of_peer = self.active.keys().filter(|active| active.ip() == peer.ip()).count();
        if self.transfers.len() >= MAX_TRANSFERS || of_peer >= MAX_TRANSFERS_PER_PEER {
            return Err(Refusal::Busy);
        }
        let (strays, socket) =
            self.transfer_sockets(peer).await.map_err(|error| Refusal::Socket(error.into()))?;
        let control = Arc::new(Control::new(socket));
        let granted = Granted {
            peer,
            request: request.clone(),
            source,
            control: Arc::clone(&control),
            events: Arc::clone(&self.events),
            server: Arc::clone(&self.server.socket),
            shared: self.shared_thread(),
        };
        let task = self.start(granted)?;
        let strays = AbortOnDropHandle::new(tokio::spawn(refuse_strays(strays)));
        self.active.insert(peer, Active { task, request, control, asked_again: false, _strays: strays });
        Ok(())
    }

    /// The thread that the next transfer is to share; `None` if it has its own.
    fn shared_thread(&mut self) -> Option<Arc<SharedThread>> {
        let others = self.transfers.len().checked_sub(self.server.own_threads)?;
        let most = std::thread::available_parallelism().map_or(1, NonZero::get).min(MAX_SHARED_THREADS);
        if self.shared.len() < most {
            self.shared.push(Arc::new(SharedThread::start().ok()?));
        }
        self.shared.get(others % self.shared.len()).cloned()
    }

    /// Starts a transfer on a thread that opens its file. It is none of the runtime's, which would wait for a disk as long
    /// as that takes.
    fn start(&mut self, granted: Granted) -> Result<Id, Refusal> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let name = format!("tftp {}", granted.peer.ip());
        let ended = Box::new(move |done| {
            // Nobody listens any more if the server has stopped.
            let _ = sender.send(done);
        });
        std::thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(move || granted.serve(ended))
            .map_err(|error| Refusal::Thread(error.into()))?;
        // A thread that panicked has sent nothing.
        Ok(self.transfers.spawn(async { receiver.await.unwrap_or(false) }).id())
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

/// A request that is granted if its file can be opened, which may wait for a disk: on a thread of its own, so that others
/// are served meanwhile.
struct Granted {
    peer: SocketAddr,
    request: Request,
    source: Source,
    control: Arc<Control>,
    events: Events,
    /// For the refusal.
    server: Arc<UdpSocket>,
    /// Where the transfer goes on, if not here.
    shared: Option<Arc<SharedThread>>,
}

impl Granted {
    /// Opens the file, and serves it here or where it is to be served.
    fn serve(self, ended: Ended) {
        let shared = self.shared.clone();
        let Some(session) = self.open() else { return ended(false) };
        let number = shared.as_ref().and_then(|shared| shared.register(&session).ok());
        match shared.zip(number) {
            Some((shared, number)) => shared.serve(number, session, ended),
            None => ended(session.run()),
        }
    }

    /// Opens the file, or says why that cannot be.
    fn open(self) -> Option<Session> {
        let Self { peer, request, source, control, events, server, .. } = self;
        let opened = Content::open(source, request.mode);
        let tell = |kind| events(TftpEvent { peer, name: request.name.clone(), kind });
        if let Some(why) = control.ended() {
            // The client must not take the first block for an answer to its next request.
            tell(TftpEventKind::Failed(why.clone()));
            return None;
        }
        match opened {
            Ok(content) => {
                let transfer = Transfer::new(&request, content.size(), Policy::default(), Instant::now());
                Some(Session::new(peer, request.name, content, transfer, control, events))
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                // As good as lost: the client asks again.
                let _ = server.try_send_to(&refusal.packet(), peer);
                tell(TftpEventKind::Refused(refusal));
                None
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
