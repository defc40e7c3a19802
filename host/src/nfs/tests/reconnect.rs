//! Connections that are cut at every moment, and clients that send their calls again as Linux does: with the same xid.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use nfs3_types::nfs3::{MKDIR3args, REMOVE3args, RENAME3args};
use nfs3_types::xdr_codec::Void;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Client, NFS, mode, tree};
use super::corpus::changing;
use crate::nfs::{record, serve};
use crate::rootfs::testing::layer_of;
use crate::rootfs::{Attributes, Credential, Ino};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A server on TCP, with an export for [`LOOPBACK`].
struct Server {
    /// Makes calls; it answers some by itself, without TCP.
    client: Client,
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    async fn new() -> Self {
        let client = Client::of_peer(LOOPBACK.into(), Arc::new(layer_of(tree())));
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(serve(listener, Arc::clone(&client.exports), stop.clone()));
        Self { client, address, stop, running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a call on a connection of its own, and takes the reply.
    async fn ask(&self, call: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        record::write(&mut stream, call).await.unwrap();
        record::read(&mut stream).await.unwrap().unwrap()
    }

    /// Everything in the root directory and in `etc`.
    fn sight(&self) -> Vec<(Vec<u8>, Attributes)> {
        let who = Credential::root();
        let etc = self.client.layer.lookup(Ino::ROOT, b"etc", &who).unwrap().ino;
        let mut seen = Vec::new();
        for dir in [Ino::ROOT, etc] {
            let mut show = |entry: crate::rootfs::DirectoryEntry<'_>| {
                seen.push((entry.name.to_vec(), entry.attributes));
                std::ops::ControlFlow::Continue(())
            };
            self.client.layer.read_directory(dir, 0, &who, &mut show).unwrap();
        }
        seen
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// The status of an accepted reply of NFS.
fn status(reply: &[u8]) -> u32 {
    let word = |at: usize| u32::from_be_bytes(reply[at..at + 4].try_into().unwrap());
    assert_eq!([word(4), word(8), word(20)], [1, 0, 0], "a reply, accepted, carried out");
    word(24)
}

#[tokio::test]
async fn every_call_that_must_not_be_carried_out_twice_is_answered_again_after_a_cut() {
    let procedures: Vec<u32> = changing(&Client::new()).into_iter().map(|(procedure, _)| procedure).collect();
    for procedure in procedures.into_iter().filter(|procedure| *procedure != 7) {
        let server = Server::new().await;
        let calls = changing(&server.client);
        let (_, call) = calls.into_iter().find(|(of, _)| *of == procedure).unwrap();
        // The connection ends before the reply can be taken.
        let mut stream = server.connect().await;
        record::write(&mut stream, &call).await.unwrap();
        drop(stream);
        let first = server.ask(&call).await;
        assert_eq!(status(&first), 0, "procedure {procedure}");
        let seen = server.sight();
        assert_eq!(server.ask(&call).await, first, "procedure {procedure}");
        assert_eq!(server.sight(), seen, "procedure {procedure} was carried out twice");
        // The same call with another xid is another call: it finds what the first has done.
        let mut fresh = call.clone();
        fresh[0] ^= 0x80;
        let again = status(&server.ask(&fresh).await);
        // SETATTR finds another ctime than its guard's.
        let expected = match procedure {
            2 => 10002,
            12..=14 => 2,
            _ => 17,
        };
        assert_eq!(again, expected, "procedure {procedure}");
        server.end().await;
    }
}

#[tokio::test]
async fn a_chain_of_changes_survives_cuts_at_every_byte() {
    let server = Server::new().await;
    let root = server.client.root();
    let chain = |index: usize| {
        let (one, other) = (format!("a{index}"), format!("b{index}"));
        let client = &server.client;
        let made = MKDIR3args { where_: Client::at(&root, &one), attributes: mode(0o755) };
        let moved = RENAME3args { from: Client::at(&root, &one), to: Client::at(&root, &other) };
        let removed = REMOVE3args { object: Client::at(&root, &other) };
        [client.record(NFS, 9, &made), client.record(NFS, 14, &moved), client.record(NFS, 13, &removed)]
    };
    for index in 0..150 {
        for call in chain(index) {
            // Cut within the call, then within the reply.
            let mut wire = Vec::new();
            record::write(&mut wire, &call).await.unwrap();
            let mut stream = server.connect().await;
            stream.write_all(&wire[..index.min(wire.len())]).await.unwrap();
            drop(stream);
            let mut stream = server.connect().await;
            stream.write_all(&wire).await.unwrap();
            let mut part = vec![0; index % 100];
            stream.read_exact(&mut part).await.unwrap();
            drop(stream);
            assert_eq!(status(&server.ask(&call).await), 0, "{index}");
        }
    }
    assert_eq!(server.sight().len(), (2 + 3) + (2 + 2), "dots, tmp, etc, link; dots, hostname, shadow");
    server.end().await;
}

#[tokio::test]
async fn the_same_call_on_many_connections_at_once_is_carried_out_once() {
    let server = Server::new().await;
    let root = server.client.root();
    let made = MKDIR3args { where_: Client::at(&root, "once"), attributes: mode(0o755) };
    let call = server.client.record(NFS, 9, &made);
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(server.connect().await);
    }
    for stream in &mut streams {
        record::write(stream, &call).await.unwrap();
    }
    let mut replies = Vec::new();
    for stream in &mut streams {
        replies.push(record::read(stream).await.unwrap().unwrap());
    }
    assert_eq!(status(&replies[0]), 0);
    replies.dedup();
    assert_eq!(replies.len(), 1);
    server.end().await;
}

#[tokio::test]
async fn a_board_that_lost_its_power_often_is_served_again() {
    let server = Server::new().await;
    let null = server.client.record(NFS, 0, &Void);
    // A board without power ends no connection: they stay, and nothing comes on them any more.
    let mut dead = Vec::new();
    for _ in 0..100 {
        let mut stream = server.connect().await;
        record::write(&mut stream, &null).await.unwrap();
        assert!(record::read(&mut stream).await.unwrap().is_some());
        dead.push(stream);
    }
    let mut ended = 0;
    for stream in dead.iter_mut().take(84) {
        ended += usize::from(record::read(stream).await.unwrap().is_none());
    }
    assert_eq!(ended, 84, "16 are left");
    server.end().await;
}

#[tokio::test]
async fn ten_thousand_connections_of_one_address_do_not_keep_others_away() {
    let server = Server::new().await;
    let null = server.client.record(NFS, 0, &Void);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::from(OTHER), 0).into()).unwrap();
    let mut other = socket.connect(server.address).await.unwrap();
    let mut crowd = std::collections::VecDeque::new();
    for index in 0..10_000 {
        crowd.push_back(server.connect().await);
        if crowd.len() > 200 {
            crowd.pop_front();
        }
        if index % 500 == 0 {
            record::write(&mut other, &null).await.unwrap();
            assert!(record::read(&mut other).await.unwrap().is_some(), "after {index}");
        }
    }
    let mut last = crowd.pop_back().unwrap();
    record::write(&mut last, &null).await.unwrap();
    assert!(record::read(&mut last).await.unwrap().is_some(), "the newest is served");
    server.end().await;
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_else() {
    let server = Server::new().await;
    let file = server.client.lookup("etc/hostname");
    let grown = server.client.layer.lookup(Ino::ROOT, b"etc", &Credential::root()).unwrap().ino;
    let hostname = server.client.layer.lookup(grown, b"hostname", &Credential::root()).unwrap().ino;
    server.client.layer.write(hostname, 0, &vec![7; 1 << 20], &Credential::root()).unwrap();
    let read = nfs3_types::nfs3::READ3args { file, offset: 0, count: 1 << 20 };
    let mut slow = server.connect().await;
    let mut calls = Vec::new();
    for _ in 0..1000 {
        record::write(&mut calls, &server.client.record(NFS, 6, &read)).await.unwrap();
    }
    let (mut replies, mut sender) = slow.split();
    sender.write_all(&calls).await.unwrap();
    let null = server.client.record(NFS, 0, &Void);
    for _ in 0..100 {
        server.ask(&null).await;
    }
    // What the slow one asked for comes all the same, once it reads.
    for _ in 0..1000 {
        assert_eq!(record::read(&mut replies).await.unwrap().map(|reply| reply.len() >> 20), Some(1));
    }
    server.end().await;
}
