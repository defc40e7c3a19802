//! A server in this process, with a file per name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use host_runner::net::Net;
use host_runner::tftp::{Guard, Server, Source, Table, TftpEvent, TftpEventKind};
use testbench::numbers::Numbers;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    events: Receiver<TftpEvent>,
    table: Arc<Table>,
    guards: Vec<Guard>,
    stop: CancellationToken,
    task: Option<JoinHandle<std::io::Result<()>>>,
    runtime: Runtime,
}

impl Serving {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port());
        let table = Table::new();
        let server = runtime
            .block_on(Server::bind(Net::Host, address, Arc::clone(&table)))
            .expect("a free port can be bound");
        let (sender, events) = channel();
        let stop = CancellationToken::new();
        // Nobody listens any more once the test is over.
        let task = runtime.spawn(server.run(move |event| drop(sender.send(event)), stop.clone()));
        Self { address, events, table, guards: Vec::new(), stop, task: Some(task), runtime }
    }

    /// Serves `content` to the loopback's first address.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        self.add_for(Ipv4Addr::LOCALHOST.into(), name, content);
    }

    pub(crate) fn add_for(&mut self, peer: IpAddr, name: &str, content: &[u8]) {
        self.guards.push(self.table.add(peer, name, Source::Bytes(content.into())));
    }

    /// The next event that is neither a start nor progress.
    pub(crate) fn outcome(&self) -> TftpEvent {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("something ends within a minute");
            if !matches!(event.kind, TftpEventKind::Started { .. } | TftpEventKind::Progress { .. }) {
                return event;
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
        let Some(task) = self.task.take() else { return };
        let ended = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await });
        if !std::thread::panicking() {
            ended.expect("it stops within a minute").expect("it does not panic").expect("its socket works");
        }
    }
}

fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has ports");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// Bytes among which no two blocks of usual size are equal.
pub(crate) fn content(size: usize) -> Vec<u8> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    (0..size).map(|_| numbers.following().to_be_bytes()[0]).collect()
}
