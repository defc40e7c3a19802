//! A client that packs calls and unpacks replies with `nfs3_types`.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nfs3_types::mount::{dirpath, mountres3};
use nfs3_types::nfs3::{
    GETATTR3args, GETATTR3res, LOOKUP3args, LOOKUP3res, Nfs3Option, Nfs3Result, diropargs3, fattr3,
    filename3, nfs_fh3, nfsstat3, sattr3, set_atime, set_mtime,
};
use nfs3_types::rpc::{
    RPC_VERSION_2, accept_stat_data, auth_unix, call_body, msg_body, opaque_auth, reply_body, rpc_msg,
};
use nfs3_types::xdr_codec::{Opaque, Pack, Unpack};

use crate::nfs::{ExportGuard, Exports, Service, Transport};
use crate::rootfs::Layer;
use crate::rootfs::testing::{TarBuilder, layer_of};

pub(super) const BOARD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
pub(super) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3));
pub(super) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), 2049);
pub(super) const NFS: (u32, u32) = (100_003, 3);
pub(super) const MOUNT: (u32, u32) = (100_005, 3);
pub(super) const PORTMAP: (u32, u32) = (100_000, 2);

pub(super) struct Client {
    pub(super) service: Arc<Service>,
    pub(super) exports: Arc<Exports>,
    pub(super) guard: Option<ExportGuard>,
    pub(super) layer: Arc<Layer>,
    pub(super) transport: Arc<Transport>,
    pub(super) uid: u32,
    xid: AtomicU32,
}

pub(super) fn tree() -> TarBuilder {
    TarBuilder::new()
        .dir("tmp", 0o1777)
        .dir("etc", 0o755)
        .file("etc/hostname", b"board\n")
        .file_as("etc/shadow", 0o600, 0, b"secret")
        .symlink("link", "etc/hostname")
}

/// A connection of `peer`.
pub(super) fn transport(peer: IpAddr) -> Arc<Transport> {
    Arc::new(Transport::new(peer))
}

/// Sends one message as a single fragment.
pub(super) fn send_record(mut stream: impl Write, record: &[u8]) {
    stream.write_all(&framed(record)).unwrap();
}

/// A message as a single fragment.
pub(super) fn framed(record: &[u8]) -> Vec<u8> {
    [&(1 << 31 | record.len() as u32).to_be_bytes(), record].concat()
}

/// Takes one message of a single fragment; `None` if the stream has ended.
pub(super) fn receive_record(mut stream: impl Read) -> Option<Vec<u8>> {
    let mut mark = [0; 4];
    match stream.read_exact(&mut mark) {
        Ok(()) => {}
        Err(error) if [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()) => {
            return None;
        }
        Err(error) => panic!("{error}"),
    }
    let mut record = vec![0; (u32::from_be_bytes(mark) & !(1 << 31)) as usize];
    stream.read_exact(&mut record).unwrap();
    Some(record)
}

impl Client {
    /// The board, as root, with the export `/job/1`.
    pub(super) fn new() -> Self {
        Self::of(Arc::new(layer_of(tree())))
    }

    /// The board, as root, with the export `/job/1` of `layer`.
    pub(super) fn of(layer: Arc<Layer>) -> Self {
        Self::of_peer(BOARD, layer)
    }

    /// The same at another address.
    pub(super) fn of_peer(peer: IpAddr, layer: Arc<Layer>) -> Self {
        let exports = Exports::new();
        let guard = exports.add(peer, "/job/1".into(), Arc::clone(&layer));
        let service = Arc::new(Service::new(Arc::clone(&exports), SERVER));
        Self {
            service,
            exports,
            guard: Some(guard),
            layer,
            transport: transport(peer),
            uid: 0,
            xid: AtomicU32::new(1),
        }
    }

    pub(super) fn record(&self, program: (u32, u32), procedure: u32, arguments: &impl Pack) -> Vec<u8> {
        let auth = auth_unix {
            stamp: 7,
            machinename: Opaque::borrowed(b"board"),
            uid: self.uid,
            gid: self.uid,
            gids: vec![5],
        };
        let body = msg_body::CALL(call_body {
            rpcvers: RPC_VERSION_2,
            prog: program.0,
            vers: program.1,
            proc: procedure,
            cred: opaque_auth::auth_unix(&auth),
            verf: opaque_auth::default(),
        });
        let mut record = Vec::new();
        rpc_msg { xid: self.xid.fetch_add(1, Ordering::Relaxed), body }.pack(&mut record).unwrap();
        arguments.pack(&mut record).unwrap();
        record
    }

    /// What the server says to `record`, and the bytes of the results.
    pub(super) fn send(&self, record: &[u8]) -> (accept_stat_data, Vec<u8>) {
        let reply = self.service.call(&self.transport, record).unwrap().bytes;
        let mut rest = &reply[..];
        let (message, _) = rpc_msg::unpack(&mut rest).unwrap();
        assert_eq!(message.xid.to_be_bytes(), record[..4]);
        match message.body {
            msg_body::REPLY(reply_body::MSG_ACCEPTED(accepted)) => (accepted.reply_data, rest.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn call<R: Unpack>(&self, program: (u32, u32), procedure: u32, arguments: &impl Pack) -> R {
        let (stat, results) = self.send(&self.record(program, procedure, arguments));
        assert!(matches!(stat, accept_stat_data::SUCCESS), "{stat:?}");
        let mut rest = &results[..];
        let (result, _) = R::unpack(&mut rest).unwrap();
        assert!(rest.is_empty(), "{} bytes behind the results", rest.len());
        result
    }

    pub(super) fn nfs<T: Unpack, F: Unpack>(
        &self,
        procedure: u32,
        arguments: &impl Pack,
    ) -> Result<T, nfsstat3> {
        match self.call::<Nfs3Result<T, F>>(NFS, procedure, arguments) {
            Nfs3Result::Ok(result) => Ok(result),
            Nfs3Result::Err((stat, _)) => Err(stat),
        }
    }

    pub(super) fn mount(&self, path: &str) -> mountres3<'static> {
        self.call(MOUNT, 1, &dirpath(Opaque::borrowed(path.as_bytes())))
    }

    pub(super) fn root(&self) -> nfs_fh3 {
        match self.mount("/job/1") {
            mountres3::Ok(mounted) => nfs_fh3 { data: mounted.fhandle.0 },
            mountres3::Err(stat) => panic!("{stat:?}"),
        }
    }

    pub(super) fn at<'a>(dir: &nfs_fh3, name: &'a str) -> diropargs3<'a> {
        diropargs3 { dir: dir.clone(), name: filename3(Opaque::borrowed(name.as_bytes())) }
    }

    pub(super) fn lookup(&self, path: &str) -> nfs_fh3 {
        path.split('/').fold(self.root(), |dir, name| {
            match self.call::<LOOKUP3res>(NFS, 3, &LOOKUP3args { what: Self::at(&dir, name) }) {
                Nfs3Result::Ok(found) => found.object,
                Nfs3Result::Err((stat, _)) => panic!("{name}: {stat}"),
            }
        })
    }

    pub(super) fn attributes(&self, object: &nfs_fh3) -> Result<fattr3, nfsstat3> {
        match self.call::<GETATTR3res>(NFS, 1, &GETATTR3args { object: object.clone() }) {
            Nfs3Result::Ok(found) => Ok(found.obj_attributes),
            Nfs3Result::Err((stat, _)) => Err(stat),
        }
    }
}

pub(super) fn mode(mode: u32) -> sattr3 {
    sattr3 {
        mode: Nfs3Option::Some(mode),
        atime: set_atime::DONT_CHANGE,
        mtime: set_mtime::DONT_CHANGE,
        ..sattr3::default()
    }
}
