//! The port mapper, version 2 (RFC 1833 §3), for programs on this very port.

use nfs3_types::portmap::{IPPROTO_TCP, mapping};
use nfs3_types::xdr_codec::{List, Pack};

use super::rpc::Refusal;
use super::service::{MOUNT_PROGRAM, MOUNT_VERSION, NFS_PROGRAM, NFS_VERSION};
use super::xdr::Reader;

/// Carries out `procedure` for a server on TCP `port`, and appends its result to `out`. Nothing can be registered.
pub(super) fn call(
    port: u16,
    procedure: u32,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let here = [(NFS_PROGRAM, NFS_VERSION), (MOUNT_PROGRAM, MOUNT_VERSION)].map(|(prog, vers)| mapping {
        prog,
        vers,
        prot: IPPROTO_TCP,
        port: u32::from(port),
    });
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
