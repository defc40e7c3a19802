//! ONC RPC (RFC 5531) over TCP: one call at a time, as root.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use super::xdr::{Reader, Writer};

const LIMIT: Duration = Duration::from_secs(60);
/// Largest reply, in bytes.
const REPLY_LIMIT: usize = 4 << 20;
const LAST_FRAGMENT: u32 = 1 << 31;

/// One program of an RPC server.
#[derive(Debug)]
pub(super) struct Program {
    stream: TcpStream,
    program: u32,
    version: u32,
    call: u32,
}

impl Program {
    /// Connects to `server` as the client with `address`.
    pub(super) fn connect(
        address: IpAddr,
        server: SocketAddr,
        (program, version): (u32, u32),
    ) -> io::Result<Self> {
        let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // Bounds the connecting, too (socket(7)).
        set_socket_timeout(&socket, Timeout::Send, Some(LIMIT))?;
        bind(&socket, &SocketAddr::new(address, 0))?;
        connect(&socket, &server)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, program, version, call: 0 })
    }

    /// Calls `procedure` with `arguments` and returns its results.
    pub(super) fn call(&mut self, procedure: u32, arguments: &Writer) -> io::Result<Vec<u8>> {
        self.call += 1;
        let credentials = Writer::default().word(0).opaque(b"fake-board").word(0).word(0).word(0).0;
        let message = Writer::default().word(self.call).word(0).word(2);
        let message = message.word(self.program).word(self.version).word(procedure);
        let mut message = message.word(1).opaque(&credentials).word(0).word(0).0;
        message.extend(&arguments.0);
        let header = LAST_FRAGMENT | u32::try_from(message.len()).unwrap_or(0);
        self.stream.write_all(&[&header.to_be_bytes()[..], &message].concat())?;

        let reply = self.reply()?;
        let mut reader = Reader(&reply);
        let identifiers = (reader.word()?, reader.word()?, reader.word()?);
        reader.word()?;
        reader.opaque()?;
        let status = reader.word()?;
        if identifiers != (self.call, 1, 0) || status != 0 {
            let text = format!("RPC program {} refused procedure {procedure}: {status}", self.program);
            return Err(io::Error::other(text));
        }
        Ok(reader.0.to_vec())
    }

    fn reply(&mut self) -> io::Result<Vec<u8>> {
        let mut reply = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header)?;
            let header = u32::from_be_bytes(header);
            let length = usize::try_from(header & !LAST_FRAGMENT).unwrap_or(usize::MAX);
            if reply.len().saturating_add(length) > REPLY_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "RPC reply too long"));
            }
            let start = reply.len();
            reply.resize(start + length, 0);
            self.stream.read_exact(&mut reply[start..])?;
            if header & LAST_FRAGMENT != 0 {
                return Ok(reply);
            }
        }
    }
}
