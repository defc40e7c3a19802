//! The port mapper of versions 3 and 4.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use nfs3_types::rpc::{accept_stat_data, msg_body, reply_body, rpc_msg};
use nfs3_types::xdr_codec::{Opaque, Pack, Unpack, Void};

use super::client::{BOARD, Client, SERVER, transport};
use crate::nfs::Service;
use crate::nfs::xdr::Reader;

const TCP: u32 = 6;
const UDP: u32 = 17;
const V3: (u32, u32) = (100_000, 3);
const V4: (u32, u32) = (100_000, 4);

/// An `rpcb` that asks for a version of a program by `network`.
pub(super) fn question(program: u32, version: u32, network: &str) -> Vec<u8> {
    let mut question = Vec::new();
    program.pack(&mut question).unwrap();
    version.pack(&mut question).unwrap();
    for text in [network, "", "somebody"] {
        Opaque::borrowed(text.as_bytes()).pack(&mut question).unwrap();
    }
    question
}

/// What a port mapper says to a question in bytes.
fn ask(
    service: &Service,
    program: (u32, u32),
    procedure: u32,
    question: &[u8],
) -> (accept_stat_data, Vec<u8>) {
    let record = [&Client::new().record(program, procedure, &Void), question].concat();
    let reply = service.call(&transport(BOARD), &record).unwrap().bytes;
    let mut rest = &reply[..];
    match rpc_msg::unpack(&mut rest).unwrap().0.body {
        msg_body::REPLY(reply_body::MSG_ACCEPTED(accepted)) => (accepted.reply_data, rest.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn results(service: &Service, program: (u32, u32), procedure: u32, question: &[u8]) -> Vec<u8> {
    let (stat, results) = ask(service, program, procedure, question);
    assert!(matches!(stat, accept_stat_data::SUCCESS), "{stat:?}");
    results
}

fn text(reader: &mut Reader<'_>) -> String {
    String::from_utf8(reader.opaque(100).unwrap().to_vec()).unwrap()
}

#[test]
fn an_address_is_told_for_the_network_by_which_the_question_came() {
    let by_tcp = Service::port_mapper(SERVER, TCP);
    let by_udp = Service::port_mapper(SERVER, UDP);
    let address = |service: &Service, of, procedure, (program, version)| {
        let results = results(service, of, procedure, &question(program, version, "tcp"));
        text(&mut Reader::new(&results))
    };
    for version in [V3, V4] {
        assert_eq!(address(&by_tcp, version, 3, (100_003, 3)), "10.77.0.1.8.1");
        assert_eq!(address(&by_tcp, version, 3, (100_005, 3)), "10.77.0.1.8.1");
        assert_eq!(address(&by_udp, version, 3, (100_003, 3)), "");
        assert_eq!(address(&by_udp, version, 3, version), "10.77.0.1.0.111");
        assert_eq!(address(&by_tcp, version, 3, (100_003, 4)), "10.77.0.1.8.1", "any version does");
        assert_eq!(address(&by_tcp, version, 3, (100_021, 4)), "");
    }
    assert_eq!(address(&by_tcp, V4, 9, (100_003, 3)), "10.77.0.1.8.1");
    assert_eq!(address(&by_tcp, V4, 9, (100_003, 4)), "", "this version only");
    let at = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 2049);
    assert_eq!(address(&Service::port_mapper(at, TCP), V4, 3, (100_003, 3)), "::1.8.1");
}

#[test]
fn everything_is_listed_with_its_address() {
    let service = Service::port_mapper(SERVER, UDP);
    let results = results(&service, V4, 4, &[]);
    let mut reader = Reader::new(&results);
    let mut listed = Vec::new();
    while let Ok(true) = reader.bool() {
        let (program, version) = (reader.u32().unwrap(), reader.u32().unwrap());
        let [network, address, owner] = [(); 3].map(|()| text(&mut reader));
        listed.push(format!("{program} {version} {network} {address} {owner}"));
    }
    assert!(reader.u32().is_err(), "nothing comes behind the list");
    let expected = [
        "100000 4 tcp 10.77.0.1.0.111 superuser",
        "100000 3 tcp 10.77.0.1.0.111 superuser",
        "100000 2 tcp 10.77.0.1.0.111 superuser",
        "100000 4 udp 10.77.0.1.0.111 superuser",
        "100000 3 udp 10.77.0.1.0.111 superuser",
        "100000 2 udp 10.77.0.1.0.111 superuser",
        "100003 3 tcp 10.77.0.1.8.1 superuser",
        "100005 3 tcp 10.77.0.1.8.1 superuser",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn all_addresses_of_a_program_are_told_whatever_the_network() {
    let service = Service::port_mapper(SERVER, TCP);
    let results = results(&service, V4, 11, &question(100_000, 4, ""));
    let mut reader = Reader::new(&results);
    let mut told = Vec::new();
    while let Ok(true) = reader.bool() {
        let [address, network] = [(); 2].map(|()| text(&mut reader));
        let semantics = reader.u32().unwrap();
        let [family, protocol] = [(); 2].map(|()| text(&mut reader));
        told.push(format!("{address} {network} {semantics} {family} {protocol}"));
    }
    assert_eq!(told, ["10.77.0.1.0.111 tcp 3 inet tcp", "10.77.0.1.0.111 udp 1 inet udp"]);
}

#[test]
fn nothing_is_registered_and_what_is_not_spoken_is_said() {
    let service = Service::port_mapper(SERVER, TCP);
    let asked = question(1, 1, "tcp");
    for version in [V3, V4] {
        assert!(results(&service, version, 0, &[]).is_empty());
        assert_eq!(results(&service, version, 1, &asked), [0; 4]);
        assert_eq!(results(&service, version, 2, &asked), [0; 4]);
        assert!(results(&service, version, 6, &[]) > vec![0x60, 0, 0, 0], "after 2021");
        let (stat, _) = ask(&service, version, 5, &asked);
        assert!(matches!(stat, accept_stat_data::PROC_UNAVAIL), "{stat:?}");
        let (stat, _) = ask(&service, version, 3, &asked[..asked.len() - 4]);
        assert!(matches!(stat, accept_stat_data::GARBAGE_ARGS), "{stat:?}");
    }
    let (stat, _) = ask(&service, V3, 9, &asked);
    assert!(matches!(stat, accept_stat_data::PROC_UNAVAIL), "{stat:?}");
    for version in [0, 1, 5] {
        let (stat, _) = ask(&service, (100_000, version), 0, &[]);
        assert!(matches!(stat, accept_stat_data::PROG_MISMATCH { low: 2, high: 4 }), "{stat:?}");
    }
}
