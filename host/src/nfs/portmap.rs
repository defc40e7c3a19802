//! Which programs are where, and the port mapper of version 2 that tells it (RFC 1833 §3).

use std::net::{IpAddr, SocketAddr};

use nfs3_types::portmap::{IPPROTO_TCP, IPPROTO_UDP, mapping};
use nfs3_types::xdr_codec::{List, Pack};

use super::port_mapper::PORT_MAPPER_PORT;
use super::rpc::Refusal;
use super::service::{MOUNT_PROGRAM, MOUNT_VERSION, NFS_PROGRAM, NFS_VERSION};
use super::service::{PORTMAP_PROGRAM, PORTMAP_VERSION, RPCBIND_VERSIONS};
use super::xdr::Reader;

/// Procedures of all versions.
pub(super) const NULL: u32 = 0;
pub(super) const SET: u32 = 1;
pub(super) const UNSET: u32 = 2;
/// Procedures of version 2.
const GETPORT: u32 = 3;
const DUMP: u32 = 4;

/// Whether another version will do than the one that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Any,
    Exact,
}

/// What the port mapper tells. Nothing can be registered.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) here: Vec<mapping>,
    /// The address that all of them are at.
    pub(super) address: IpAddr,
    /// The protocol by which it is asked.
    pub(super) asked_by: u32,
}

impl Programs {
    /// NFS and MOUNT on TCP, at `at`.
    pub(super) fn new(at: SocketAddr) -> Self {
        let port = u32::from(at.port());
        let program = |(prog, vers)| mapping { prog, vers, prot: IPPROTO_TCP, port };
        let here = [(NFS_PROGRAM, NFS_VERSION), (MOUNT_PROGRAM, MOUNT_VERSION)].map(program).to_vec();
        Self { here, address: at.ip(), asked_by: IPPROTO_TCP }
    }

    /// The same behind the port mapper itself, which clients look up like any other program.
    pub(super) fn with_port_mapper(at: SocketAddr, asked_by: u32) -> Self {
        let port = u32::from(PORT_MAPPER_PORT);
        let versions = || [RPCBIND_VERSIONS.1, RPCBIND_VERSIONS.0, PORTMAP_VERSION].into_iter();
        let on = |prot| versions().map(move |vers| mapping { prog: PORTMAP_PROGRAM, vers, prot, port });
        let mut programs = Self::new(at);
        programs.here = [IPPROTO_TCP, IPPROTO_UDP].into_iter().flat_map(on).chain(programs.here).collect();
        Self { asked_by, ..programs }
    }

    /// Where a version of a program is. As with rpcbind, another version does where the version may be any: who calls it
    /// learns which versions there are.
    pub(super) fn find(
        &self,
        (program, version): (u32, u32),
        protocol: u32,
        which: Version,
    ) -> Option<&mapping> {
        let here = || self.here.iter().filter(|at| (at.prog, at.prot) == (program, protocol));
        let exact = here().find(|at| at.vers == version);
        exact.or_else(|| here().next().filter(|_| which == Version::Any))
    }

    /// Carries out `procedure` of version 2, and appends its result to `out`.
    pub(super) fn call(
        &self,
        procedure: u32,
        arguments: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        match procedure {
            NULL => {}
            SET | UNSET => {
                arguments.fixed::<16>()?;
                false.pack(out)?;
            }
            GETPORT => {
                let (program, version, protocol) = (arguments.u32()?, arguments.u32()?, arguments.u32()?);
                let _port = arguments.u32()?;
                let found = self.find((program, version), protocol, Version::Any);
                found.map_or(0, |at| at.port).pack(out)?;
            }
            DUMP => {
                List(self.here.clone()).pack(out)?;
            }
            _ => return Err(Refusal::ProcedureUnavailable),
        }
        Ok(())
    }
}
