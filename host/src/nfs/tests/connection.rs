use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use nfs3_types::nfs3::{MKDIR3args, READ3args};
use nfs3_types::portmap::mapping;
use nfs3_types::xdr_codec::Void;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::client::{BOARD, Client, NFS, PORTMAP, mode, tree};
use crate::nfs::connections::Connection;
use crate::nfs::server::serve_stream;
use crate::nfs::{record, serve, serve_port_mapper};
use crate::rootfs::testing::layer_of;
use crate::rootfs::{Credential, Ino, Kind};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn a_call_repeated_on_a_new_connection_gets_the_same_reply_and_stopping_ends_all() {
    let client = Client::new();
    let layer = Arc::new(layer_of(tree()));
    let _guard = client.exports.add(LOOPBACK, "/job/2".into(), Arc::clone(&layer));
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, Arc::clone(&client.exports), stop.clone()));
    let root = guard_root(&client);
    let call =
        client.record(NFS, 9, &MKDIR3args { where_: Client::at(&root, "made"), attributes: mode(0o755) });
    let mut replies = Vec::new();
    let mut last = None;
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        record::write(&mut stream, &call).await.unwrap();
        replies.push(record::read(&mut stream).await.unwrap().unwrap());
        last = Some(stream);
    }
    assert_eq!(replies[0], replies[1]);
    let made = layer.lookup(Ino::ROOT, b"made", &Credential::root()).unwrap();
    assert_eq!(made.kind, Kind::Directory);
    stop.cancel();
    server.await.unwrap();
    assert_eq!(last.unwrap().read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_port_mapper_answers_on_udp_and_tcp_and_serves_nothing_else() {
    let client = Client::new();
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let on_tcp = listener.local_addr().unwrap();
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let on_udp = socket.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve_port_mapper(listener, socket, 4711, stop.clone()));
    let asked = mapping { prog: NFS.0, vers: NFS.1, prot: 6, port: 0 };
    let board = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    board.connect(on_udp).await.unwrap();
    // What is no call gets no answer, and does no harm.
    board.send(b"noise").await.unwrap();
    board.send(&client.record(PORTMAP, 3, &asked)).await.unwrap();
    let mut reply = [0; 1024];
    let length = board.recv(&mut reply).await.unwrap();
    assert_eq!((length, &reply[24..28]), (28, &4711_u32.to_be_bytes()[..]));
    let itself = mapping { prog: PORTMAP.0, vers: PORTMAP.1, prot: 17, port: 0 };
    board.send(&client.record(PORTMAP, 3, &itself)).await.unwrap();
    let length = board.recv(&mut reply).await.unwrap();
    assert_eq!((length, &reply[24..28]), (28, &111_u32.to_be_bytes()[..]));
    let mut stream = TcpStream::connect(on_tcp).await.unwrap();
    record::write(&mut stream, &client.record(NFS, 0, &Void)).await.unwrap();
    let reply = record::read(&mut stream).await.unwrap().unwrap();
    assert_eq!(reply[20..], 1_u32.to_be_bytes(), "the program is unavailable");
    stop.cancel();
    server.await.unwrap().unwrap();
}

/// The root of the export of the loopback address.
fn guard_root(client: &Client) -> nfs3_types::nfs3::nfs_fh3 {
    let mut own = Client::new();
    own.service = Arc::clone(&client.service);
    own.peer = LOOPBACK;
    match own.mount("/job/2") {
        nfs3_types::mount::mountres3::Ok(mounted) => nfs3_types::nfs3::nfs_fh3 { data: mounted.fhandle.0 },
        nfs3_types::mount::mountres3::Err(stat) => panic!("{stat:?}"),
    }
}

#[tokio::test]
async fn many_calls_in_flight_are_all_answered() {
    let client = Client::new();
    let file = client.lookup("etc/hostname");
    let (near, far) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(far);
    let stop = CancellationToken::new();
    let service = Arc::clone(&client.service);
    let server =
        tokio::spawn(
            async move { serve_stream(reader, writer, &Connection::new(BOARD, &stop), service).await },
        );
    let (mut replies, mut calls) = tokio::io::split(near);
    let records: Vec<_> = (0..500)
        .map(|index| match index % 2 {
            0 => client.record(NFS, 0, &Void),
            _ => client.record(NFS, 6, &READ3args { file: file.clone(), offset: 0, count: 100 }),
        })
        .collect();
    let mut expected: Vec<_> = records.iter().map(|record| record[..4].to_vec()).collect();
    let sending = tokio::spawn(async move {
        for record in records {
            record::write(&mut calls, &record).await.unwrap();
        }
        calls.shutdown().await.unwrap();
    });
    let mut answered = Vec::new();
    while let Some(reply) = record::read(&mut replies).await.unwrap() {
        answered.push(reply[..4].to_vec());
    }
    sending.await.unwrap();
    server.await.unwrap();
    answered.sort();
    expected.sort();
    assert_eq!(answered, expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_or_without_reader_is_closed() {
    let client = Client::new();
    let serve = |bytes: Vec<u8>| {
        let (mut near, far) = tokio::io::duplex(1 << 10);
        let (reader, writer) = tokio::io::split(far);
        let service = Arc::clone(&client.service);
        async move {
            let connection = Connection::new(BOARD, &CancellationToken::new());
            let served = serve_stream(reader, writer, &connection, service);
            let sent = async {
                // The server may close before it has read everything.
                let _ = near.write_all(&bytes).await;
                near
            };
            let both = async { tokio::join!(served, sent) };
            tokio::time::timeout(Duration::from_secs(300), both).await.is_ok()
        }
    };
    assert!(serve(b"GET / HTTP/1.1\r\n\r\n".to_vec()).await);
    assert!(serve(b"\x80\0\0\x08noise...".to_vec()).await);
    let mut flood = Vec::new();
    for _ in 0..1000 {
        record::write(&mut flood, &client.record(NFS, 0, &Void)).await.unwrap();
    }
    assert!(serve(flood).await);
}
