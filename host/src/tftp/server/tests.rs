use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::packet::{Mode, Options, Packet, Request};
use super::super::source::Source;
use super::super::table::Table;
use super::super::transfer::Failure;
use super::super::{Refusal, TftpEvent, TftpEventKind};
use super::{OWN_THREADS, Server};
use crate::net::Net;

mod refused;
mod repeated;

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Bench {
    address: SocketAddr,
    table: Arc<Table>,
    events: UnboundedReceiver<TftpEvent>,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn bench() -> Bench {
    bench_on(OWN_THREADS).await
}

/// A server where so many transfers have a thread each.
async fn bench_on(own_threads: usize) -> Bench {
    let table = Table::new();
    let mut server = Server::bind(Net::Host, LOCALHOST, Arc::clone(&table)).await.unwrap();
    server.own_threads = own_threads;
    let address = server.local;
    let (sender, events) = unbounded_channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn(server.run(move |event| sender.send(event).unwrap_or(()), stop.clone()));
    Bench { address, table, events, stop, task }
}

impl Bench {
    /// The next event that is not progress.
    async fn event(&mut self) -> TftpEvent {
        loop {
            let event = within(self.events.recv()).await.unwrap();
            if !matches!(event.kind, TftpEventKind::Progress { .. }) {
                return event;
            }
        }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        within(self.task).await.unwrap().unwrap();
        assert!(
            self.events.recv().await.is_none_or(|event| matches!(event.kind, TftpEventKind::Progress { .. }))
        );
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it happens within 30 s")
}

async fn client() -> UdpSocket {
    UdpSocket::bind(LOCALHOST).await.unwrap()
}

fn read_request(name: &str, mode: Mode, options: Options) -> Vec<u8> {
    Packet::ReadRequest(Request { name: name.into(), mode, options }).to_vec()
}

/// Asks for a file without options.
async fn ask(socket: &UdpSocket, name: &str, server: SocketAddr) {
    socket.send_to(&read_request(name, Mode::Octet, Options::default()), server).await.unwrap();
}

async fn acknowledge(socket: &UdpSocket, block: u16, transfer: SocketAddr) {
    socket.send_to(&Packet::Ack { block }.to_vec(), transfer).await.unwrap();
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut datagram = vec![0; 70_000];
    let (length, peer) = within(socket.recv_from(&mut datagram)).await.unwrap();
    datagram.truncate(length);
    (datagram, peer)
}

/// Fetches a file as a client with a window does; checks the option acknowledgement's `tsize`.
async fn fetch(address: SocketAddr, name: &str, mode: Mode, options: Options) -> Result<Vec<u8>, String> {
    let socket = client().await;
    socket.send_to(&read_request(name, mode, options), address).await.unwrap();
    let (mut content, mut have, mut size) = (Vec::new(), 0u64, None);
    let (mut block_size, mut window) = (512, 1);
    loop {
        let (datagram, peer) = receive(&socket).await;
        assert_ne!(peer, address, "a transfer has its own port");
        let block = match Packet::parse(&datagram).unwrap() {
            Packet::OptionAck(accepted) => {
                block_size = accepted.block_size.map_or(512, usize::from);
                window = accepted.window_size.map_or(1, u64::from);
                size = accepted.transfer_size;
                0
            }
            Packet::Data { block, payload } if u64::from(block) == (have + 1) % 65536 => {
                have += 1;
                content.extend_from_slice(payload);
                if payload.len() < block_size {
                    acknowledge(&socket, block, peer).await;
                    assert!(size.is_none_or(|size| size == content.len() as u64));
                    return Ok(content);
                }
                if have % window != 0 {
                    continue;
                }
                block
            }
            Packet::Data { .. } => (have % 65536) as u16,
            other => return Err(format!("{other:?}")),
        };
        acknowledge(&socket, block, peer).await;
    }
}

/// Sends `request` and returns the error that comes back from the server's own port.
async fn refused(address: SocketAddr, request: &[u8]) -> String {
    let socket = client().await;
    socket.send_to(request, address).await.unwrap();
    let (datagram, peer) = receive(&socket).await;
    assert_eq!(peer, address);
    match Packet::parse(&datagram).unwrap() {
        Packet::Error { code, message } => format!("{code} {message}"),
        other => panic!("not an error: {other:?}"),
    }
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

#[tokio::test]
async fn files_and_bytes_arrive_whole_in_every_option_combination() {
    for own_threads in [OWN_THREADS, 0] {
        let mut bench = bench_on(own_threads).await;
        let content = pattern(300_001);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        let _file = bench.table.add(LOCALHOST.ip(), "file", Source::File(file.path().into()));
        let _bytes = bench.table.add(LOCALHOST.ip(), "bytes", Source::Bytes(content.clone().into()));
        for name in ["/file", "bytes"] {
            for (block_size, window_size, used) in [
                (None, None, (512, 1)),
                (Some(1468), None, (1468, 1)),
                (Some(1468), Some(16), (1468, 16)),
                (Some(9), Some(64), (9, 32)),
            ] {
                let options = Options { block_size, window_size, transfer_size: Some(0), timeout: Some(5) };
                let got = within(fetch(bench.address, name, Mode::Octet, options)).await.unwrap();
                assert!(got == content, "{name} {options:?}");
                let started = bench.event().await;
                assert_eq!(started.name, name);
                assert!(matches!(started.kind, TftpEventKind::Started { size: 300_001, .. }), "{started:?}");
                let done = bench.event().await;
                assert!(
                    matches!(
                        done.kind,
                        TftpEventKind::Done { bytes: 300_001, block_size, window, .. } if (block_size, window) == used
                    ),
                    "{done:?}"
                );
            }
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn more_than_65535_blocks_arrive_whole() {
    let bench = bench().await;
    let content = pattern(66_000 * 8 + 5);
    let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(content.clone().into()));
    let options = Options { block_size: Some(8), window_size: Some(32), ..Options::default() };
    assert!(within(fetch(bench.address, "f", Mode::Octet, options)).await.unwrap() == content);
}

#[tokio::test]
async fn netascii_converts_line_ends_and_says_the_converted_size() {
    let bench = bench().await;
    let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(Arc::from(b"a\nb\n".as_slice())));
    let options = Options { transfer_size: Some(0), ..Options::default() };
    assert_eq!(fetch(bench.address, "f", Mode::Netascii, options).await.unwrap(), b"a\r\nb\r\n");
}

#[tokio::test]
async fn a_file_that_is_slow_to_open_holds_nobody_up_and_is_opened_once() {
    let mut bench = bench().await;
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _slow = bench.table.add(LOCALHOST.ip(), "slow", Source::File(pipe.clone()));
    let _bytes = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(1000).into()));
    let board = client().await;
    for _ in 0..3 {
        ask(&board, "slow", bench.address).await;
    }
    let fetched = fetch(bench.address, "f", Mode::Octet, Options::default()).await;
    assert_eq!(fetched.unwrap(), pattern(1000));
    for _ in 0..2 {
        let event = bench.event().await;
        assert_eq!(event.name, "f", "{event:?}");
    }
    // Another file from the same port: the board was reset.
    ask(&board, "f", bench.address).await;
    let (datagram, _) = receive(&board).await;
    assert!(matches!(Packet::parse(&datagram).unwrap(), Packet::Data { block: 1, .. }), "{datagram:?}");
    assert_eq!(bench.event().await.name, "f");
    let reset = client().await;
    ask(&reset, "slow", bench.address).await;
    // Both who wait are served by this writer.
    let writer = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(pipe));
    let _writer = within(writer).await.unwrap().unwrap();
    let (datagram, from) = receive(&reset).await;
    assert!(matches!(Packet::parse(&datagram).unwrap(), Packet::Error { .. }), "{datagram:?}");
    assert_eq!(from, bench.address);
    let mut events = [bench.event().await, bench.event().await];
    events.sort_by_key(|event| matches!(event.kind, TftpEventKind::Refused(_)));
    assert!(matches!(events[0].kind, TftpEventKind::Failed(Failure::Replaced)), "{events:?}");
    assert!(matches!(events[1].kind, TftpEventKind::Refused(Refusal::Open(_))), "{events:?}");
    bench.stop.cancel();
    within(bench.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_that_becomes_shorter_never_passes_for_a_whole_one() {
    for own_threads in [OWN_THREADS, 0] {
        let mut bench = bench_on(own_threads).await;
        let size = 600 << 10;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pattern(size)).unwrap();
        let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::File(file.path().to_owned()));
        let socket = client().await;
        let options = Options { window_size: Some(4), ..Options::default() };
        socket.send_to(&read_request("f", Mode::Octet, options), bench.address).await.unwrap();
        let (_, transfer) = receive(&socket).await;
        acknowledge(&socket, 0, transfer).await;
        let mut cut = false;
        let error = loop {
            let (datagram, _) = receive(&socket).await;
            match Packet::parse(&datagram).unwrap() {
                Packet::Data { block, payload } => {
                    assert_eq!(payload.len(), 512, "block {block}");
                    if !std::mem::replace(&mut cut, true) {
                        file.as_file().set_len(1000).unwrap();
                    }
                    if block % 4 == 0 {
                        acknowledge(&socket, block, transfer).await;
                    }
                }
                Packet::Error { message, .. } => break message,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(error, "the file cannot be read");
        bench.event().await;
        let event = bench.event().await;
        assert!(matches!(event.kind, TftpEventKind::Failed(Failure::Read(_))), "{event:?}");
    }
}

#[tokio::test]
async fn a_client_s_error_is_reported_with_its_words() {
    for own_threads in [OWN_THREADS, 0] {
        let mut bench = bench_on(own_threads).await;
        let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(2000).into()));
        let socket = client().await;
        ask(&socket, "f", bench.address).await;
        let (_, peer) = receive(&socket).await;
        socket.send_to(b"\0\x05\0\x03no room\0", peer).await.unwrap();
        bench.event().await;
        let event = bench.event().await;
        let TftpEventKind::Failed(failure) = event.kind else { panic!("{event:?}") };
        assert_eq!(failure.to_string(), "the client sent error 3: no room");
    }
}

#[tokio::test]
async fn stopping_tells_clients_and_ends_all_transfers() {
    for own_threads in [OWN_THREADS, 0] {
        let mut bench = bench_on(own_threads).await;
        let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(2000).into()));
        let socket = client().await;
        ask(&socket, "f", bench.address).await;
        receive(&socket).await;
        bench.event().await;
        bench.stop.cancel();
        loop {
            let (datagram, _) = receive(&socket).await;
            match Packet::parse(&datagram).unwrap() {
                Packet::Error { message, .. } => break assert_eq!(message, "the server is stopping"),
                Packet::Data { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        let event = bench.event().await;
        assert!(matches!(event.kind, TftpEventKind::Failed(Failure::Stopped)), "{event:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let bench = bench().await;
    let error = Server::bind(Net::Host, bench.address, Table::new()).await.unwrap_err();
    assert!(error.to_string().contains(&bench.address.to_string()), "{error}");
}
