//! A client that keeps a server busy: NFSv3 calls (RFC 1813) on one TCP connection, some of them under way at a time.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const NFS: (u32, u32) = (100_003, 3);
const MOUNT: (u32, u32) = (100_005, 3);
const LAST_FRAGMENT: u32 = 1 << 31;
/// How long the server may take for one reply.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where a reply's status is: behind xid, kind, verdict, verifier and acceptance.
const STATUS: usize = 24;

/// XDR (RFC 4506), written.
#[derive(Clone, Debug, Default)]
pub struct Xdr(pub Vec<u8>);

impl Xdr {
    /// Appends an unsigned integer.
    #[must_use]
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends an unsigned hyper integer.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends variable-length opaque data.
    #[must_use]
    pub fn opaque(self, value: &[u8]) -> Self {
        let mut xdr = self.u32(value.len() as u32);
        xdr.0.extend_from_slice(value);
        xdr.0.resize(xdr.0.len().next_multiple_of(4), 0);
        xdr
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    output: TcpStream,
    input: BufReader<TcpStream>,
    xid: u32,
    reply: Vec<u8>,
}

impl Client {
    /// Connects to a server.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Takes a connection that there is.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn over(output: TcpStream) -> io::Result<Self> {
        output.set_nodelay(true)?;
        output.set_read_timeout(Some(PATIENCE))?;
        let input = BufReader::with_capacity(256 << 10, output.try_clone()?);
        Ok(Self { output, input, xid: 1, reply: Vec::new() })
    }

    fn send(&mut self, (program, version): (u32, u32), procedure: u32, arguments: &[u8]) -> io::Result<()> {
        self.xid += 1;
        // AUTH_SYS as the superuser: stamp, machine, uid, gid, no further groups.
        let credential = Xdr::default().u32(0).opaque(b"").u32(0).u32(0).u32(0);
        let call = Xdr::default().u32(self.xid).u32(0).u32(2).u32(program).u32(version).u32(procedure);
        let call = call.u32(1).opaque(&credential.0).u32(0).u32(0);
        let mut message = (LAST_FRAGMENT | (call.0.len() + arguments.len()) as u32).to_be_bytes().to_vec();
        message.extend_from_slice(&call.0);
        message.extend_from_slice(arguments);
        self.output.write_all(&message)
    }

    /// Reads one reply, which must say that all went well; its results are returned.
    fn receive(&mut self) -> io::Result<&[u8]> {
        let mut mark = [0; 4];
        self.reply.clear();
        loop {
            self.input.read_exact(&mut mark)?;
            let mark = u32::from_be_bytes(mark);
            let (begin, length) = (self.reply.len(), (mark & !LAST_FRAGMENT) as usize);
            self.reply.resize(begin + length, 0);
            self.input.read_exact(&mut self.reply[begin..])?;
            if mark & LAST_FRAGMENT != 0 {
                break;
            }
        }
        match self.reply.get(STATUS..STATUS + 4) {
            Some([0, 0, 0, 0]) => Ok(&self.reply[STATUS + 4..]),
            status => Err(io::Error::other(format!("the server answered with status {status:?}"))),
        }
    }

    /// The results of an NFS procedure that went well, behind its status.
    ///
    /// # Errors
    /// Those of the connection, and the server's status.
    pub fn nfs(&mut self, procedure: u32, arguments: &Xdr) -> io::Result<&[u8]> {
        self.call(NFS, procedure, arguments)
    }

    fn call(&mut self, program: (u32, u32), procedure: u32, arguments: &Xdr) -> io::Result<&[u8]> {
        self.send(program, procedure, &arguments.0)?;
        self.receive()
    }

    /// The handle of an export.
    ///
    /// # Errors
    /// Those of the connection, and the server's status.
    pub fn mount(&mut self, path: &str) -> io::Result<Vec<u8>> {
        handle(self.call(MOUNT, 1, &Xdr::default().opaque(path.as_bytes()))?)
    }

    /// The handle of a name.
    ///
    /// # Errors
    /// Those of the connection, and the server's status.
    pub fn lookup(&mut self, directory: &[u8], name: &str) -> io::Result<Vec<u8>> {
        handle(self.call(NFS, 3, &Xdr::default().opaque(directory).opaque(name.as_bytes()))?)
    }

    /// The handle of a new, empty file.
    ///
    /// # Errors
    /// Those of the connection, and the server's status.
    pub fn create(&mut self, directory: &[u8], name: &str) -> io::Result<Vec<u8>> {
        // UNCHECKED; mode 0644, size 0, the rest is not set.
        let how = Xdr::default().opaque(directory).opaque(name.as_bytes()).u32(0);
        let how = how.u32(1).u32(0o644).u32(0).u32(0).u32(1).u64(0).u32(0).u32(0);
        let results = self.call(NFS, 8, &how)?;
        handle(results.get(4..).unwrap_or_default())
    }

    /// Calls `procedure` as often as there are arguments, `depth` calls at a time; how long that took.
    ///
    /// # Errors
    /// Those of the connection, and the server's status.
    pub fn load(
        &mut self,
        procedure: u32,
        depth: usize,
        mut arguments: impl Iterator<Item = Xdr>,
    ) -> io::Result<Duration> {
        let started = Instant::now();
        let mut open = 0;
        loop {
            while open < depth
                && let Some(arguments) = arguments.next()
            {
                self.send(NFS, procedure, &arguments.0)?;
                open += 1;
            }
            if open == 0 {
                return Ok(started.elapsed());
            }
            self.receive()?;
            open -= 1;
        }
    }
}

/// The handle at the beginning of results.
fn handle(results: &[u8]) -> io::Result<Vec<u8>> {
    let (length, rest) = results.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    let handle = rest.get(..u32::from_be_bytes(*length) as usize);
    Ok(handle.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
}
