//! A server of one fixed tree, for tests of the client: port mapper, MOUNT and NFS on one port.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::xdr::{Reader, Writer};

/// More than one READ.
pub(in crate::fake_board) const ENVIRONMENT_SIZE: usize = 100_000;

const FILE: u32 = 1;
const DIRECTORY: u32 = 2;
const LINK: u32 = 5;

/// Parent, name, type, mode, content; the index is the file handle.
const TREE: &[(usize, &str, u32, u32, &str)] = &[
    (0, "", DIRECTORY, 0o755, ""),
    (0, "lava-7", DIRECTORY, 0o755, ""),
    (1, "bin", DIRECTORY, 0o755, ""),
    (
        2,
        "lava-agent",
        FILE,
        0o755,
        "#!/bin/sh\necho \"agent $1 in $(dirname \"$0\")\"\nread line\necho \"got $line\"\nexit 3\n",
    ),
    (
        2,
        "lava-send",
        FILE,
        0o755,
        "#!/bin/sh\necho \"agent $1 in $(dirname \"$0\")\"\nread line\necho \"got $line\"\nexit 3\n",
    ),
    (2, "lava-wait", LINK, 0o777, "lava-agent"),
    (1, "environment", FILE, 0o644, ""),
    (0, "root", DIRECTORY, 0o700, ""),
    (7, ".ssh", DIRECTORY, 0o700, ""),
    (8, "authorized_keys", FILE, 0o600, "ssh-ed25519 key\n"),
    (0, "home", DIRECTORY, 0o755, ""),
];

/// Serves the tree at `/123` until the process ends; returns the port.
pub(in crate::fake_board) fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream?, port));
        }
    });
    port
}

fn converse(mut stream: TcpStream, port: u16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header)?;
        let length = u32::from_be_bytes(header) & 0x7fff_ffff;
        let mut call = vec![0; length as usize];
        stream.read_exact(&mut call)?;
        let mut reader = Reader(&call);
        let (id, _, _) = (reader.word()?, reader.word()?, reader.word()?);
        let (program, _, procedure) = (reader.word()?, reader.word()?, reader.word()?);
        for _ in 0..2 {
            reader.word()?;
            reader.opaque()?;
        }
        let reply = Writer::default().word(id).word(1).word(0).word(0).word(0).word(0);
        let reply = results(reply, program, procedure, &mut reader, port)?.0;
        // Two fragments: record marking must be undone.
        let (first, last) = reply.split_at(8);
        stream.write_all(&[&8_u32.to_be_bytes()[..], first].concat())?;
        let header = 0x8000_0000 | u32::try_from(last.len()).unwrap();
        stream.write_all(&[&header.to_be_bytes()[..], last].concat())?;
    }
}

fn results(
    reply: Writer,
    program: u32,
    procedure: u32,
    reader: &mut Reader<'_>,
    port: u16,
) -> io::Result<Writer> {
    if program == 100_000 {
        return Ok(reply.word(u32::from(port)));
    }
    if program == 100_005 {
        let found = reader.opaque()? == b"/123";
        return Ok(if found { reply.word(0).opaque(&handle(0)).word(0) } else { reply.word(2) });
    }
    let node = u32::from_be_bytes(reader.opaque()?.try_into().unwrap()) as usize;
    Ok(match procedure {
        3 => {
            let name = reader.opaque()?;
            let found = TREE.iter().skip(1).position(|entry| entry.0 == node && entry.1.as_bytes() == name);
            match found {
                Some(index) => attributes(reply.word(0).opaque(&handle(index + 1)), index + 1).word(0),
                None => reply.word(2).word(0),
            }
        }
        5 => attributes(reply.word(0), node).opaque(TREE[node].4.as_bytes()),
        6 => {
            let (offset, count) = (reader.double()? as usize, reader.word()? as usize);
            let content = content(node);
            let part = &content[offset.min(content.len())..(offset + count).min(content.len())];
            let end = offset + part.len() == content.len();
            let reply = attributes(reply.word(0), node).word(u32::try_from(part.len()).unwrap());
            reply.word(u32::from(end)).opaque(part)
        }
        _ => list(reply, node, reader.double()? as usize),
    })
}

/// One entry per reply, every second without attributes: clients must go on and look up.
fn list(reply: Writer, node: usize, cookie: usize) -> Writer {
    let reply = attributes(reply.word(0), node).double(9);
    let next = (cookie + 1..TREE.len()).find(|&index| TREE[index].0 == node);
    let Some(index) = next else { return reply.word(0).word(1) };
    let reply = reply.word(1).double(index as u64).opaque(TREE[index].1.as_bytes()).double(index as u64);
    let reply = if index % 2 == 0 {
        reply.word(0).word(0)
    } else {
        attributes(reply, index).word(1).opaque(&handle(index))
    };
    reply.word(0).word(0)
}

fn handle(index: usize) -> [u8; 4] {
    u32::try_from(index).unwrap().to_be_bytes()
}

fn content(index: usize) -> Vec<u8> {
    if TREE[index].1 == "environment" {
        vec![b'#'; ENVIRONMENT_SIZE]
    } else {
        TREE[index].4.as_bytes().to_vec()
    }
}

fn attributes(reply: Writer, index: usize) -> Writer {
    let (_, name, kind, mode, _) = TREE[index];
    // The helpers are hard links.
    let inode = if name == "lava-send" { index - 1 } else { index } as u64;
    let reply =
        reply.word(1).word(kind).word(mode).word(1).word(0).word(0).double(content(index).len() as u64);
    reply.fixed(&[0; 24]).double(inode).fixed(&[0; 24])
}
