//! The port mapper, version 2 (RFC 1833 §3).

use nfs3_types::portmap::{IPPROTO_TCP, IPPROTO_UDP, mapping};
use nfs3_types::xdr_codec::{List, Pack};

use super::port_mapper::PORT_MAPPER_PORT;
use super::rpc::Refusal;
use super::service::{MOUNT_PROGRAM, MOUNT_VERSION, NFS_PROGRAM, NFS_VERSION};
use super::service::{PORTMAP_PROGRAM, PORTMAP_VERSION};
use super::xdr::Reader;

/// NFS and MOUNT on TCP `port`.
pub(super) fn programs(port: u16) -> Vec<mapping> {
    let program = |(prog, vers)| mapping { prog, vers, prot: IPPROTO_TCP, port: u32::from(port) };
    [(NFS_PROGRAM, NFS_VERSION), (MOUNT_PROGRAM, MOUNT_VERSION)].map(program).to_vec()
}

/// The port mapper itself, which clients look up like any other program.
pub(super) fn itself() -> impl Iterator<Item = mapping> {
    let (prog, vers, port) = (PORTMAP_PROGRAM, PORTMAP_VERSION, u32::from(PORT_MAPPER_PORT));
    [IPPROTO_TCP, IPPROTO_UDP].into_iter().map(move |prot| mapping { prog, vers, prot, port })
}

/// Carries out `procedure` where the programs of `here` are, and appends its result to `out`. Nothing can be registered.
pub(super) fn call(
    here: &[mapping],
    procedure: u32,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match procedure {
        0 => {}
        1 | 2 => {
            arguments.fixed::<16>()?;
            false.pack(out)?;
        }
        3 => {
            let (program, version, protocol) = (arguments.u32()?, arguments.u32()?, arguments.u32()?);
            let _port = arguments.u32()?;
            let found = here.iter().find(|at| (at.prog, at.vers, at.prot) == (program, version, protocol));
            found.map_or(0, |at| at.port).pack(out)?;
        }
        4 => {
            List(here.to_vec()).pack(out)?;
        }
        _ => return Err(Refusal::ProcedureUnavailable),
    }
    Ok(())
}
