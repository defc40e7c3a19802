//! MOUNT and NFS version 3 (RFC 1813).

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::rpc::Program;
use super::xdr::{Reader, Writer};

const PORT_MAPPER: (u32, u32) = (100_000, 2);
const MOUNT: (u32, u32) = (100_005, 3);
const NFS: (u32, u32) = (100_003, 3);
const TCP: u32 = 6;

const LOOKUP: u32 = 3;
const READLINK: u32 = 5;
const READ: u32 = 6;
const WRITE: u32 = 7;
const CREATE: u32 = 8;
const READDIRPLUS: u32 = 17;

/// Bytes per READ.
const READ_SIZE: u32 = 64 << 10;
/// Bytes per WRITE.
const WRITE_SIZE: usize = 256 << 10;
/// `FILE_SYNC` of WRITE.
const FILE_SYNC: u32 = 2;
/// Largest file, in bytes.
const FILE_LIMIT: u64 = 64 << 20;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fake_board) enum Kind {
    File,
    Directory,
    Link,
    Other,
}

/// A file, directory or link of the mounted tree.
#[derive(Clone, Debug)]
pub(in crate::fake_board) struct Node {
    handle: Vec<u8>,
    pub(in crate::fake_board) kind: Kind,
    /// Permission bits.
    pub(in crate::fake_board) mode: u32,
    /// Size in bytes.
    pub(in crate::fake_board) size: u64,
    /// Number of the inode: the same for hard links.
    pub(in crate::fake_board) inode: u64,
}

/// A mounted export.
#[derive(Debug)]
pub(in crate::fake_board) struct Mount {
    nfs: Program,
    root: Vec<u8>,
}

impl Mount {
    /// Mounts `path` of `server` as the client with `address`; ports that are not given are asked of the port mapper at `portmap`.
    pub(in crate::fake_board) fn new(
        address: IpAddr,
        server: IpAddr,
        path: &str,
        ports: (Option<u16>, Option<u16>),
        portmap: u16,
    ) -> io::Result<Self> {
        let port = |known: Option<u16>, program| {
            known.map_or_else(|| ask_port(address, SocketAddr::new(server, portmap), program), Ok)
        };
        let nfs_port = port(ports.0, NFS)?;
        let mount_port = port(ports.1, MOUNT)?;
        let mut mount = Program::connect(address, SocketAddr::new(server, mount_port), MOUNT)?;
        let reply = mount.call(1, &Writer::default().opaque(path.as_bytes()))?;
        let mut reader = Reader(&reply);
        status(&mut reader, "MNT", path)?;
        let root = reader.opaque()?.to_vec();
        Ok(Self { nfs: Program::connect(address, SocketAddr::new(server, nfs_port), NFS)?, root })
    }

    /// The export's root directory.
    pub(in crate::fake_board) fn root(&self) -> Node {
        Node { handle: self.root.clone(), kind: Kind::Directory, mode: 0o755, size: 0, inode: 0 }
    }

    /// Finds `name` in `directory`.
    pub(in crate::fake_board) fn lookup(&mut self, directory: &Node, name: &str) -> io::Result<Node> {
        let arguments = Writer::default().opaque(&directory.handle).opaque(name.as_bytes());
        let reply = self.nfs.call(LOOKUP, &arguments)?;
        let mut reader = Reader(&reply);
        status(&mut reader, "LOOKUP", name)?;
        let handle = reader.opaque()?.to_vec();
        let attributes = attributes(&mut reader)?;
        node(handle, attributes)
            .ok_or_else(|| io::Error::other(format!("LOOKUP of {name} gives no attributes")))
    }

    /// Lists `directory`, without `.` and `..`.
    pub(in crate::fake_board) fn list(&mut self, directory: &Node) -> io::Result<Vec<(String, Node)>> {
        let (mut cookie, mut verifier) = (0, [0; 8]);
        let mut entries = Vec::new();
        loop {
            let arguments = Writer::default().opaque(&directory.handle).double(cookie).fixed(&verifier);
            let reply = self.nfs.call(READDIRPLUS, &arguments.word(8 << 10).word(32 << 10))?;
            let mut reader = Reader(&reply);
            status(&mut reader, "READDIRPLUS", "")?;
            attributes(&mut reader)?;
            verifier.copy_from_slice(reader.fixed(8)?);
            while reader.flag()? {
                reader.double()?;
                let name = String::from_utf8_lossy(reader.opaque()?).into_owned();
                cookie = reader.double()?;
                let attributes = attributes(&mut reader)?;
                let handle = if reader.flag()? { Some(reader.opaque()?.to_vec()) } else { None };
                if name == "." || name == ".." {
                    continue;
                }
                let found = match handle.and_then(|handle| node(handle, attributes)) {
                    Some(node) => node,
                    None => self.lookup(directory, &name)?,
                };
                entries.push((name, found));
            }
            if reader.flag()? {
                return Ok(entries);
            }
        }
    }

    /// Reads the whole of `file`.
    pub(in crate::fake_board) fn read(&mut self, file: &Node) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let offset = content.len() as u64;
            let reply = self
                .nfs
                .call(READ, &Writer::default().opaque(&file.handle).double(offset).word(READ_SIZE))?;
            let mut reader = Reader(&reply);
            status(&mut reader, "READ", "")?;
            attributes(&mut reader)?;
            let count = reader.word()?;
            let end = reader.flag()?;
            content.extend_from_slice(reader.opaque()?);
            if end || count == 0 {
                return Ok(content);
            }
            if offset > FILE_LIMIT {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    }

    /// Writes the file `name` of `directory` with these permission bits; what it held before is gone.
    pub(in crate::fake_board) fn write(
        &mut self,
        directory: &Node,
        name: &str,
        mode: u32,
        content: &[u8],
    ) -> io::Result<()> {
        let create = Writer::default().opaque(&directory.handle).opaque(name.as_bytes());
        // UNCHECKED; mode, no owner, no group, size 0, no times.
        let create = create.word(0).word(1).word(mode).word(0).word(0).word(1).double(0).word(0).word(0);
        let reply = self.nfs.call(CREATE, &create)?;
        let mut reader = Reader(&reply);
        status(&mut reader, "CREATE", name)?;
        if !reader.flag()? {
            return Err(io::Error::other(format!("CREATE of {name} gives no handle")));
        }
        let handle = reader.opaque()?.to_vec();
        let mut offset = 0;
        for part in content.chunks(WRITE_SIZE) {
            let count = u32::try_from(part.len()).map_err(io::Error::other)?;
            let write = Writer::default().opaque(&handle).double(offset).word(count).word(FILE_SYNC);
            let reply = self.nfs.call(WRITE, &write.opaque(part))?;
            status(&mut Reader(&reply), "WRITE", name)?;
            offset += u64::from(count);
        }
        Ok(())
    }

    /// The target of `link`.
    pub(in crate::fake_board) fn read_link(&mut self, link: &Node) -> io::Result<String> {
        let reply = self.nfs.call(READLINK, &Writer::default().opaque(&link.handle))?;
        let mut reader = Reader(&reply);
        status(&mut reader, "READLINK", "")?;
        attributes(&mut reader)?;
        Ok(String::from_utf8_lossy(reader.opaque()?).into_owned())
    }
}

fn ask_port(address: IpAddr, portmap: SocketAddr, (program, version): (u32, u32)) -> io::Result<u16> {
    let mut mapper = Program::connect(address, portmap, PORT_MAPPER)?;
    let reply = mapper.call(3, &Writer::default().word(program).word(version).word(TCP).word(0))?;
    match u16::try_from(Reader(&reply).word()?) {
        Ok(port @ 1..) => Ok(port),
        _ => Err(io::Error::other(format!("RPC program {program} is not registered"))),
    }
}

fn status(reader: &mut Reader<'_>, operation: &str, name: &str) -> io::Result<()> {
    match reader.word()? {
        0 => Ok(()),
        2 => Err(io::Error::new(io::ErrorKind::NotFound, format!("{operation} {name}: no such file"))),
        28 => Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("{operation} {name}: No space left on device"),
        )),
        status => Err(io::Error::other(format!("{operation} {name}: status {status}"))),
    }
}

struct Attributes {
    kind: Kind,
    mode: u32,
    size: u64,
    inode: u64,
}

/// `post_op_attr`.
fn attributes(reader: &mut Reader<'_>) -> io::Result<Option<Attributes>> {
    if !reader.flag()? {
        return Ok(None);
    }
    let kind = match reader.word()? {
        1 => Kind::File,
        2 => Kind::Directory,
        5 => Kind::Link,
        _ => Kind::Other,
    };
    let mode = reader.word()? & 0o7777;
    reader.fixed(12)?;
    let size = reader.double()?;
    reader.fixed(24)?;
    let inode = reader.double()?;
    reader.fixed(24)?;
    Ok(Some(Attributes { kind, mode, size, inode }))
}

fn node(handle: Vec<u8>, attributes: Option<Attributes>) -> Option<Node> {
    let Attributes { kind, mode, size, inode } = attributes?;
    Some(Node { handle, kind, mode, size, inode })
}
