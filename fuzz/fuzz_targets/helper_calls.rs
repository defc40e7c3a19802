//! Whatever helpers on a board send to the agent's socket: connections are bounded, and others are still served.
#![no_main]

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use host_runner_fuzz::Scratch;
use lava_agent::fuzzing::{Helpers, MAX_CONNECTIONS};
use libfuzzer_sys::fuzz_target;
use protocol::helper::{Call, Packet, Reply};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};

/// Clients at a time: fewer than the agent serves, so that there is always room for one more.
const CLIENTS: usize = 12;

/// One helper's end of its connection.
fn client(address: &SocketAddrUnix) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).expect("a descriptor");
    connect(&socket, address).expect("the agent listens, and takes whoever waits at every turn");
    socket
}

/// Whether a helper that makes a good call is heard and answered.
fn is_served(helpers: &mut Helpers<'_>, address: &SocketAddrUnix) -> bool {
    let client = client(address);
    let asked = Packet { run: 1, call: Call::Sync { id: "still-served" } };
    let mut packet = [0; 64];
    let packet = protocol::message::encode(&asked, &mut packet).expect("a short call");
    send(&client, packet, SendFlags::NOSIGNAL).expect("room for a packet");
    let mut number = None;
    for _ in 0..2 {
        helpers.turn(&mut |call, request| {
            if *request == asked {
                number = Some(call);
            }
        });
    }
    let Some(number) = number else { return false };
    helpers.reply(number, &Reply::Done);
    let mut answer = [0; 64];
    let (length, _) = recv(&client, &mut answer[..], RecvFlags::DONTWAIT).expect("an answer");
    protocol::message::decode(&answer[..length]) == Ok(Reply::Done)
}

fuzz_target!(|input: &[u8]| {
    let scratch = Scratch::new();
    let path = scratch.file("unused", b"").with_file_name("agent.sock");
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path");
    let mut helpers = Helpers::listen(&path).expect("a socket");
    let address = SocketAddrUnix::new(path.as_c_str()).expect("a short path");
    let mut clients: Vec<OwnedFd> = Vec::new();
    let mut open = Vec::new();
    let mut rest = input;
    while let Some((&[what, length], next)) = rest.split_first_chunk::<2>() {
        rest = next;
        let chosen = usize::from(what >> 3) % clients.len().max(1);
        match what & 7 {
            0 if clients.len() < CLIENTS => clients.push(client(&address)),
            1 if !clients.is_empty() => drop(clients.swap_remove(chosen)),
            2 => {
                let mut answer = [0; 4096];
                // Whatever is there; a connection that the agent has ended is one, too.
                let _ = clients.get(chosen).map(|client| recv(client, &mut answer[..], RecvFlags::DONTWAIT));
            }
            3 if !open.is_empty() => {
                let call = open.swap_remove(usize::from(length) % open.len());
                let long = "x".repeat(usize::from(length) * 16);
                helpers.reply(call, &Reply::Messages { lines: &long, more: what & 8 != 0 });
            }
            4..=6 => {
                let (packet, next) = rest.split_at(usize::from(length).min(rest.len()));
                rest = next;
                // One that the agent has ended, or that is full, takes nothing.
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                let _ = clients.get(chosen).map(|client| send(client, packet, flags));
            }
            _ => {}
        }
        helpers.turn(&mut |call, _| open.push(call));
        assert!(helpers.connections() <= MAX_CONNECTIONS);
    }
    // Those who have gone make room.
    assert!(is_served(&mut helpers, &address));
});
