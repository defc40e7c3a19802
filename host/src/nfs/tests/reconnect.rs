//! Connections that are cut at every moment, and clients that send their calls again as Linux does: with the same xid.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

use nfs3_types::nfs3::{MKDIR3args, REMOVE3args, RENAME3args};
use nfs3_types::xdr_codec::Void;

use super::client::{Client, NFS, framed, mode, receive_record, send_record};
use super::corpus::changing;
use super::server::Server;
use crate::rootfs::{Credential, Ino};

const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The status of an accepted reply of NFS.
fn status(reply: &[u8]) -> u32 {
    let word = |at: usize| u32::from_be_bytes(reply[at..at + 4].try_into().unwrap());
    assert_eq!([word(4), word(8), word(20)], [1, 0, 0], "a reply, accepted, carried out");
    word(24)
}

#[test]
fn every_call_that_must_not_be_carried_out_twice_is_answered_again_after_a_cut() {
    let procedures: Vec<u32> = changing(&Client::new()).into_iter().map(|(procedure, _)| procedure).collect();
    for procedure in procedures.into_iter().filter(|procedure| *procedure != 7) {
        let server = Server::new();
        let calls = changing(&server.client);
        let (_, call) = calls.into_iter().find(|(of, _)| *of == procedure).unwrap();
        // The connection ends before the reply can be taken.
        let stream = server.connect();
        send_record(&stream, &call);
        drop(stream);
        let first = server.ask(&call);
        assert_eq!(status(&first), 0, "procedure {procedure}");
        let seen = server.sight();
        assert_eq!(server.ask(&call), first, "procedure {procedure}");
        assert_eq!(server.sight(), seen, "procedure {procedure} was carried out twice");
        // The same call with another xid is another call: it finds what the first has done.
        let mut fresh = call.clone();
        fresh[0] ^= 0x80;
        let again = status(&server.ask(&fresh));
        // SETATTR finds another ctime than its guard's.
        let expected = match procedure {
            2 => 10002,
            12..=14 => 2,
            _ => 17,
        };
        assert_eq!(again, expected, "procedure {procedure}");
    }
}

#[test]
fn a_chain_of_changes_survives_cuts_at_every_byte() {
    let server = Server::new();
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
            let wire = framed(&call);
            let mut stream = server.connect();
            stream.write_all(&wire[..index.min(wire.len())]).unwrap();
            drop(stream);
            let mut stream = server.connect();
            stream.write_all(&wire).unwrap();
            let mut part = vec![0; index % 100];
            stream.read_exact(&mut part).unwrap();
            drop(stream);
            assert_eq!(status(&server.ask(&call)), 0, "{index}");
        }
    }
    assert_eq!(server.sight().len(), (2 + 3) + (2 + 2), "dots, tmp, etc, link; dots, hostname, shadow");
}

#[test]
fn the_same_call_on_many_connections_at_once_is_carried_out_once() {
    let server = Server::new();
    let root = server.client.root();
    let made = MKDIR3args { where_: Client::at(&root, "once"), attributes: mode(0o755) };
    let call = server.client.record(NFS, 9, &made);
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(server.connect());
    }
    for stream in &streams {
        send_record(stream, &call);
    }
    let mut replies = Vec::new();
    for stream in &streams {
        replies.push(receive_record(stream).unwrap());
    }
    assert_eq!(status(&replies[0]), 0);
    replies.dedup();
    assert_eq!(replies.len(), 1);
}

#[test]
fn programs_that_number_their_calls_alike_do_not_get_each_others_replies() {
    let server = Server::new();
    let root = server.client.root();
    let place = || Client::at(&root, "again");
    let null = server.client.record(NFS, 0, &Void);
    let make = server.client.record(NFS, 9, &MKDIR3args { where_: place(), attributes: mode(0o755) });
    let remove = server.client.record(NFS, 13, &REMOVE3args { object: place() });
    for round in 0..3 {
        let stream = server.connect();
        send_record(&stream, &null);
        receive_record(&stream).unwrap();
        for call in [&make, &remove] {
            send_record(&stream, call);
            assert_eq!(status(&receive_record(&stream).unwrap()), 0, "{round}");
        }
        assert_eq!(
            server.client.layer.lookup(Ino::ROOT, b"again", &Credential::root()).ok(),
            None,
            "{round}"
        );
    }
    // The same at the same time: one of two that make a directory finds it there.
    let streams = [server.connect(), server.connect()];
    let mut stats = streams.each_ref().map(|stream| {
        send_record(stream, &null);
        receive_record(stream).unwrap();
        send_record(stream, &make);
        status(&receive_record(stream).unwrap())
    });
    stats.sort_unstable();
    assert_eq!(stats, [0, 17], "NFS3ERR_EXIST");
}

#[test]
fn a_board_that_lost_its_power_often_is_served_again() {
    let server = Server::new();
    let null = server.client.record(NFS, 0, &Void);
    // A board without power ends no connection: they stay, and nothing comes on them any more.
    let mut dead = Vec::new();
    for _ in 0..100 {
        let stream = server.connect();
        send_record(&stream, &null);
        assert!(receive_record(&stream).is_some());
        dead.push(stream);
    }
    let mut ended = 0;
    for stream in dead.iter().take(84) {
        ended += usize::from(receive_record(stream).is_none());
    }
    assert_eq!(ended, 84, "16 are left");
}

/// A connection from an address of the loopback network.
fn connect_from(address: Ipv4Addr, server: std::net::SocketAddr) -> TcpStream {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
    let socket = socket.unwrap();
    rustix::net::bind(&socket, &std::net::SocketAddr::new(IpAddr::from(address), 0)).unwrap();
    rustix::net::connect(&socket, &server).unwrap();
    socket.into()
}

#[test]
fn ten_thousand_connections_of_one_address_do_not_keep_others_away() {
    let server = Server::new();
    let null = server.client.record(NFS, 0, &Void);
    let other = connect_from(OTHER, server.address);
    let mut crowd = VecDeque::new();
    for index in 0..10_000 {
        crowd.push_back(server.connect());
        if crowd.len() > 200 {
            crowd.pop_front();
        }
        if index % 500 == 0 {
            send_record(&other, &null);
            assert!(receive_record(&other).is_some(), "after {index}");
        }
    }
    let last = crowd.pop_back().unwrap();
    send_record(&last, &null);
    assert!(receive_record(&last).is_some(), "the newest is served");
}

#[test]
fn a_slow_reader_holds_up_nobody_else() {
    let server = Server::new();
    let file = server.client.lookup("etc/hostname");
    let grown = server.client.layer.lookup(Ino::ROOT, b"etc", &Credential::root()).unwrap().ino;
    let hostname = server.client.layer.lookup(grown, b"hostname", &Credential::root()).unwrap().ino;
    server.client.layer.write(hostname, 0, &vec![7; 1 << 20], &Credential::root()).unwrap();
    let read = nfs3_types::nfs3::READ3args { file, offset: 0, count: 1 << 20 };
    let slow = server.connect();
    let calls: Vec<u8> = (0..1000).flat_map(|_| framed(&server.client.record(NFS, 6, &read))).collect();
    let sender = slow.try_clone().unwrap();
    let sending = std::thread::spawn(move || (&sender).write_all(&calls));
    let null = server.client.record(NFS, 0, &Void);
    for _ in 0..100 {
        server.ask(&null);
    }
    // What the slow one asked for comes all the same, once it reads.
    for _ in 0..1000 {
        assert_eq!(receive_record(&slow).map(|reply| reply.len() >> 20), Some(1));
    }
    sending.join().unwrap().unwrap();
}
