//! Senders who mean harm, or are broken: nothing but the table's files comes out, and other transfers go on.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use host_runner::tftp::packet::{ErrorCode, Packet};
use host_runner::tftp::{Refusal, TftpEventKind};
use testbench::tftp::Client;

use super::serving::{PATIENCE, Serving, content};

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback and temporary files work");
    socket.set_read_timeout(Some(PATIENCE)).expect("the loopback and temporary files work");
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut datagram = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut datagram).expect("an answer within a minute");
    datagram.truncate(length);
    (datagram, from)
}

fn request(name: &[u8], rest: &[u8]) -> Vec<u8> {
    [b"\0\x01", name, b"\0octet\0", rest].concat()
}

/// Sends one datagram and returns the error that is the answer.
fn refused(serving: &Serving, datagram: &[u8]) -> ErrorCode {
    let socket = socket();
    socket.send_to(datagram, serving.address).expect("the loopback and temporary files work");
    match Packet::parse(&receive(&socket).0) {
        Ok(Packet::Error { code, .. }) => code,
        other => panic!("not an error: {other:?}"),
    }
}

fn still_serves(serving: &Serving, name: &str, expected: &[u8]) {
    let mut got = Vec::new();
    Client::new(serving.address)
        .fetch(name, |block| got.extend_from_slice(block))
        .expect("the loopback and temporary files work");
    assert!(got == expected);
}

#[test]
fn no_name_reaches_a_file_outside_the_table() {
    let mut serving = Serving::start();
    serving.add("7/zImage", b"kernel");
    let names: [&[u8]; 9] = [
        b"../7/zImage/../../etc/passwd",
        b"/etc/passwd",
        b"7/../7/zImage",
        b"7/./zImage",
        b"7//zImage",
        b"..\\..\\etc\\passwd",
        b"7/zImage/",
        b"7",
        b"%2e%2e/etc/passwd",
    ];
    for name in names {
        assert_eq!(refused(&serving, &request(name, b"")), ErrorCode::FileNotFound, "{name:?}");
    }
    still_serves(&serving, "7/zImage", b"kernel");
}

#[test]
fn a_nul_in_a_name_ends_it_and_what_follows_is_not_a_mode() {
    let mut serving = Serving::start();
    serving.add("f", b"x");
    assert_eq!(refused(&serving, &request(b"f\0/../../etc/passwd", b"")), ErrorCode::IllegalOperation);
    assert_eq!(refused(&serving, &request(b"", b"")), ErrorCode::FileNotFound);
    still_serves(&serving, "f", b"x");
}

#[test]
fn datagrams_as_long_as_udp_allows_are_refused() {
    let mut serving = Serving::start();
    serving.add("f", b"x");
    for fill in [b'a', b'/', 0xff] {
        assert_eq!(refused(&serving, &request(&vec![fill; 65_000], b"")), ErrorCode::FileNotFound);
    }
    still_serves(&serving, "f", b"x");
}

#[test]
fn strange_options_are_left_out_or_limited() {
    let mut serving = Serving::start();
    serving.add("f", &content(3000));
    let cases: [(&[u8], &[u8]); 12] = [
        (b"blksize\x000\0", b"\0\x03"),
        (b"blksize\x007\0", b"\0\x03"),
        (b"blksize\x0065465\0", b"\0\x03"),
        (b"blksize\0-1\0", b"\0\x03"),
        (b"blksize\x0099999999999999999999\0", b"\0\x03"),
        (b"windowsize\x000\0", b"\0\x03"),
        (b"windowsize\x0065536\0", b"\0\x03"),
        (b"timeout\x000\0timeout\x00256\0", b"\0\x03"),
        (b"blksize", b"\0\x03"),
        (b"blksize\0", b"\0\x03"),
        (b"blksize\x0065464\0windowsize\x0065535\0", b"\0\x06blksize\x001468\0windowsize\x0032\0"),
        (b"blksize\x00600\0blksize\x00700\0", b"\0\x06blksize\x00700\0"),
    ];
    for (options, answer) in cases {
        let socket = socket();
        socket
            .send_to(&request(b"f", options), serving.address)
            .expect("the loopback and temporary files work");
        let (got, from) = receive(&socket);
        assert!(got.starts_with(answer), "{options:?}: {got:?}");
        socket.send_to(b"\0\x05\0\0done\0", from).expect("the loopback and temporary files work");
        let event = serving.outcome();
        assert!(matches!(event.kind, TftpEventKind::Failed(_)), "{event:?}");
    }
}

#[test]
fn options_without_end_do_not_end_the_server() {
    let mut serving = Serving::start();
    serving.add("f", b"x");
    let socket = socket();
    socket
        .send_to(&request(b"f", &b"blksize\x001024\0".repeat(4000)), serving.address)
        .expect("the loopback and temporary files work");
    let (answer, from) = receive(&socket);
    assert_eq!(answer, b"\0\x06blksize\x001024\0");
    socket.send_to(b"\0\x05\0\0done\0", from).expect("the loopback and temporary files work");
    still_serves(&serving, "f", b"x");
}

#[test]
fn a_stranger_s_port_gets_error_5_and_the_transfer_goes_on() {
    let mut serving = Serving::start();
    let sent = content(512 * 40);
    serving.add("f", &sent);
    let (client, stranger) = (socket(), socket());
    client.send_to(&request(b"f", b""), serving.address).expect("the loopback and temporary files work");
    let mut got = Vec::new();
    loop {
        let (datagram, transfer) = receive(&client);
        let Ok(Packet::Data { block, payload }) = Packet::parse(&datagram) else { panic!("{datagram:?}") };
        if usize::from(block) != got.len() / 512 + 1 {
            continue;
        }
        got.extend_from_slice(payload);
        // The stranger acknowledges more than was sent, and ends the transfer: neither is his.
        stranger.send_to(b"\0\x05\0\0over\0", transfer).expect("the loopback and temporary files work");
        stranger
            .send_to(&Packet::Ack { block: block + 1 }.to_vec(), transfer)
            .expect("the loopback and temporary files work");
        let (answer, from) = receive(&stranger);
        assert_eq!(from, transfer);
        let answer = Packet::parse(&answer);
        assert!(matches!(answer, Ok(Packet::Error { code: ErrorCode::UnknownTransferId, .. })), "{answer:?}");
        client
            .send_to(&Packet::Ack { block }.to_vec(), transfer)
            .expect("the loopback and temporary files work");
        if payload.len() < 512 {
            break;
        }
    }
    assert!(got == sent);
    let event = serving.outcome();
    assert!(matches!(event.kind, TftpEventKind::Done { .. }), "{event:?}");
    // An ERROR is never answered by one: all that the stranger got were the answers to his acknowledgements.
    stranger.set_read_timeout(Some(Duration::from_millis(1))).expect("the loopback and temporary files work");
    assert!(stranger.recv(&mut [0; 100]).is_err());
}

#[test]
fn a_flood_from_one_address_leaves_the_others_served() {
    let mut serving = Serving::start();
    let sent = content(20_000);
    let other = Ipv4Addr::new(127, 0, 0, 2);
    serving.add("f", &sent);
    serving.add_for(other.into(), "f", &sent);
    let flood: Vec<UdpSocket> = (0..200).map(|_| socket()).collect();
    for socket in &flood {
        socket.send_to(&request(b"f", b""), serving.address).expect("the loopback and temporary files work");
    }
    let answers: Vec<Vec<u8>> = flood.iter().map(|socket| receive(socket).0).collect();
    let served = answers.iter().filter(|answer| answer.starts_with(b"\0\x03")).count();
    assert_eq!(served, 16, "as many as one address may have");
    for _ in served..flood.len() {
        let event = serving.outcome();
        assert!(matches!(event.kind, TftpEventKind::Refused(Refusal::Busy)), "{event:?}");
    }
    let client = Client { local: SocketAddr::new(other.into(), 0), ..Client::new(serving.address) };
    let mut got = Vec::new();
    client.fetch("f", |block| got.extend_from_slice(block)).expect("the loopback and temporary files work");
    assert!(got == sent);
}

#[test]
fn two_hundred_transfers_at_once_arrive_whole() {
    let mut serving = Serving::start();
    let sent = content(60_000);
    for host in 1..=20 {
        serving.add_for(Ipv4Addr::new(127, 0, 0, host).into(), "f", &sent);
    }
    let (server, sent) = (serving.address, &sent);
    std::thread::scope(|scope| {
        for index in 0..200u8 {
            scope.spawn(move || {
                let local = SocketAddr::new(Ipv4Addr::new(127, 0, 0, index % 20 + 1).into(), 0);
                let mut got = Vec::new();
                let client = Client { local, window: (index % 2 == 0).then_some(8), ..Client::new(server) };
                client
                    .fetch("f", |block| got.extend_from_slice(block))
                    .expect("the loopback and temporary files work");
                assert!(got == *sent, "{index}");
            });
        }
    });
    for _ in 0..200 {
        let event = serving.outcome();
        assert!(matches!(event.kind, TftpEventKind::Done { bytes: 60_000, .. }), "{event:?}");
    }
}

#[test]
fn packets_that_are_no_requests_are_ignored_by_the_server_s_port() {
    let mut serving = Serving::start();
    serving.add("f", b"x");
    let socket = socket();
    for datagram in [&b"\0\x03\0\x01data"[..], b"\0\x04\0\x01", b"\0\x05\0\0\0", b"\0\x06tsize\x001\0"] {
        socket.send_to(datagram, serving.address).expect("the loopback and temporary files work");
    }
    // The answer to what comes after them is the first that comes back.
    socket.send_to(b"\0\x09", serving.address).expect("the loopback and temporary files work");
    let answer = receive(&socket).0;
    assert_eq!(answer.get(..4), Some(&b"\0\x05\0\x04"[..]));
    still_serves(&serving, "f", b"x");
}
