use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use nfs3_types::nfs3::{GETATTR3args, MKDIR3args, READ3args, WRITE3args, nfs_fh3, stable_how};
use nfs3_types::portmap::mapping;
use nfs3_types::xdr_codec::{Opaque, Void};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::client::{BOARD, Client, NFS, PORTMAP, framed, mode, receive_record, send_record, tree};
use super::port_mapper::question;
use super::server::Server;
use crate::nfs::connections::Connection;
use crate::nfs::{serve_port_mapper, stream};
use crate::rootfs::testing::new_directory;
use crate::rootfs::{Credential, Durability, Ino, Kind, Layer, LayerOptions};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a peer that is to be given up may stall.
const PATIENCE: Duration = Duration::from_millis(200);
/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// The xids of messages, sorted.
fn xids(messages: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut xids: Vec<_> = messages.iter().map(|message| &message[..4]).collect();
    xids.sort_unstable();
    xids
}

/// The client's end of a connection that is served and may stall for `patience`, and what ends with it.
fn connection(client: &Client, patience: Duration) -> (UnixStream, mpsc::Receiver<()>) {
    let (near, far) = UnixStream::pair().unwrap();
    let (alive, ended) = mpsc::channel();
    let connection = Arc::new(Connection::new(BOARD, far.into()));
    stream::serve(connection, Arc::clone(&client.service), patience, alive).unwrap();
    (near, ended)
}

/// Waits until nobody serves a connection any more.
fn await_end(ended: &mpsc::Receiver<()>) {
    assert_eq!(ended.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_call_repeated_on_a_new_connection_gets_the_same_reply_and_stopping_ends_all() {
    let mut server = Server::new();
    let root = server.client.root();
    let made = MKDIR3args { where_: Client::at(&root, "made"), attributes: mode(0o755) };
    let call = server.client.record(NFS, 9, &made);
    let mut replies = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let stream = server.connect();
        send_record(&stream, &call);
        replies.push(receive_record(&stream).unwrap());
        streams.push(stream);
    }
    assert_eq!(replies[0], replies[1]);
    let made = server.client.layer.lookup(Ino::ROOT, b"made", &Credential::root()).unwrap();
    assert_eq!(made.kind, Kind::Directory);
    server.end();
    for mut stream in streams {
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    let address_of_nfs = [client.record((PORTMAP.0, 4), 3, &Void), question(NFS.0, NFS.1, "tcp")].concat();
    board.send(&address_of_nfs).await.unwrap();
    let length = board.recv(&mut reply).await.unwrap();
    assert_eq!((length, &reply[24..28]), (28, &[0; 4][..]), "NFS is not on UDP");
    let stream = TcpStream::connect(on_tcp).unwrap();
    send_record(&stream, &address_of_nfs);
    assert_eq!(receive_record(&stream).unwrap()[28..], *b"127.0.0.1.18.103");
    send_record(&stream, &client.record(NFS, 0, &Void));
    let reply = receive_record(&stream).unwrap();
    assert_eq!(reply[20..], 1_u32.to_be_bytes(), "the program is unavailable");
    stop.cancel();
    server.await.unwrap().unwrap();
}

#[test]
fn many_calls_in_flight_are_all_answered() {
    let client = Client::new();
    let file = client.lookup("etc/hostname");
    let (stream, ended) = connection(&client, LONG);
    let calls: Vec<_> = (0..500)
        .map(|index| match index % 2 {
            0 => client.record(NFS, 0, &Void),
            _ => client.record(NFS, 6, &READ3args { file: file.clone(), offset: 0, count: 100 }),
        })
        .collect();
    let sender = stream.try_clone().unwrap();
    let answered = std::thread::scope(|scope| {
        scope.spawn(|| {
            calls.iter().for_each(|call| send_record(&sender, call));
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        std::iter::from_fn(|| receive_record(&stream)).collect::<Vec<_>>()
    });
    assert_eq!(xids(&answered), xids(&calls));
    await_end(&ended);
}

#[test]
fn data_of_the_archive_arrives_whole_wherever_it_is_read() {
    let data: Vec<u8> = (0..2_000_003_u32).map(|index| (index.wrapping_mul(index) >> 8) as u8).collect();
    let server = Server::of(tree().file("data", &data));
    let file = server.client.lookup("data");
    let stream = server.connect();
    for (offset, count) in
        [(0, 1 << 20), (1, 65_537), (1 << 20, 1 << 20), (1_999_000, 1 << 20), (2_000_003, 10)]
    {
        let read = READ3args { file: file.clone(), offset, count };
        send_record(&stream, &server.client.record(NFS, 6, &read));
        let reply = receive_record(&stream).unwrap();
        let expected: Vec<u8> = data.iter().skip(offset as usize).take(count as usize).copied().collect();
        let results = &reply[24 + 4 + 88..];
        let eof = offset as usize + expected.len() == data.len();
        let length = expected.len() as u32;
        let head = [length, u32::from(eof), length].map(u32::to_be_bytes).concat();
        let padding = vec![0; expected.len().next_multiple_of(4) - expected.len()];
        assert!(results == [head, expected, padding].concat(), "{offset} {count}");
    }
}

#[test]
fn a_call_that_waits_for_the_disk_holds_up_none_behind_it() {
    let client = Client::new();
    let file = client.lookup("etc/hostname");
    let write = |text: &'static [u8]| WRITE3args {
        file: file.clone(),
        offset: 0,
        count: text.len() as u32,
        stable: stable_how::UNSTABLE,
        data: Opaque::borrowed(text),
    };
    let writes = [client.record(NFS, 7, &write(b"one")), client.record(NFS, 7, &write(b"two"))];
    assert_hold_nobody_up(&client, &writes);
}

#[test]
fn a_name_that_must_outlive_a_power_failure_holds_up_none_behind_it() {
    let options = LayerOptions { durability: Durability::Power, ..LayerOptions::default() };
    let lower = Arc::new(tree().index().unwrap());
    let client = Client::of(Arc::new(Layer::new(lower, new_directory(), options).unwrap()));
    let root = client.root();
    let make = |name| MKDIR3args { where_: Client::at(&root, name), attributes: mode(0o755) };
    assert_hold_nobody_up(&client, &["a", "b"].map(|name| client.record(NFS, 9, &make(name))));
}

/// Sends two changes that must wait, each with a look behind it; the looks are answered first.
fn assert_hold_nobody_up(client: &Client, changes: &[Vec<u8>; 2]) {
    let (stream, _ended) = connection(client, LONG);
    let get = GETATTR3args { object: nfs_fh3 { data: client.root().data } };
    let gets = [client.record(NFS, 1, &get), client.record(NFS, 1, &get)];
    let held = client.layer.hold_changes();
    let calls = [&changes[0], &gets[0], &changes[1], &gets[1]].map(|call| framed(call)).concat();
    (&stream).write_all(&calls).unwrap();
    let early: Vec<_> = (0..2).map(|_| receive_record(&stream).unwrap()).collect();
    assert_eq!(xids(&early), xids(&gets));
    drop(held);
    let late: Vec<_> = (0..2).map(|_| receive_record(&stream).unwrap()).collect();
    assert_eq!(xids(&late), xids(changes));
}

#[test]
fn a_connection_without_calls_or_without_reader_is_closed() {
    let client = Client::new();
    let served = |bytes: &[u8]| {
        let (mut near, ended) = connection(&client, PATIENCE);
        // The server may close before it has read everything.
        let _ = near.write_all(bytes);
        await_end(&ended);
    };
    served(b"GET / HTTP/1.1\r\n\r\n");
    served(b"\x80\0\0\x08noise...");
    served(&framed(&client.record(NFS, 0, &Void)).repeat(1 << 16));
}

#[test]
fn a_connection_may_be_silent_between_calls() {
    let client = Client::new();
    let (stream, _ended) = connection(&client, PATIENCE);
    stream.set_read_timeout(Some(PATIENCE * 3)).unwrap();
    let silence = (&stream).read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    send_record(&stream, &client.record(NFS, 0, &Void));
    assert!(receive_record(&stream).is_some());
}
