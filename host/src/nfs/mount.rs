//! The MOUNT protocol, version 3 (RFC 1813 §5).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nfs3_types::mount::{
    MNTPATHLEN, dirpath, export_node, fhandle3, mountbody, mountlist, mountres3, mountres3_ok, mountstat3,
    name,
};
use nfs3_types::xdr_codec::{List, Opaque, Pack};

use super::exports::{Export, Exports};
use super::rpc::Refusal;
use super::xdr::Reader;
use crate::rootfs::Ino;

const AUTH_SYS: u32 = 1;

/// Carries out `procedure` and appends its result to `out`.
pub(super) fn call(
    exports: &Exports,
    peer: IpAddr,
    procedure: u32,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match procedure {
        0 => {}
        1 => mount(exports, peer, arguments)?.pack(out).map(drop)?,
        2 => mounted(exports, peer).pack(out).map(drop)?,
        3 => {
            if let Some(export) = find(exports, peer, arguments)? {
                export.mounted.store(false, Ordering::Relaxed);
            }
        }
        4 => {
            for export in exports.of(peer) {
                export.mounted.store(false, Ordering::Relaxed);
            }
        }
        5 => exported(exports, peer).pack(out).map(drop)?,
        _ => return Err(Refusal::ProcedureUnavailable),
    }
    Ok(())
}

/// The newest export of `peer` with the path in the arguments; slashes at its end do not matter.
fn find(exports: &Exports, peer: IpAddr, arguments: &mut Reader<'_>) -> Result<Option<Arc<Export>>, Refusal> {
    let trim = |path: &[u8]| path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let path = arguments.opaque(MNTPATHLEN as u32)?;
    let wanted = path.get(..trim(path));
    let mut found = exports.of(peer).into_iter();
    Ok(found.find(|export| export.path.as_bytes().get(..trim(export.path.as_bytes())) == wanted))
}

fn mount(exports: &Exports, peer: IpAddr, arguments: &mut Reader<'_>) -> Result<mountres3<'static>, Refusal> {
    let Some(export) = find(exports, peer, arguments)? else {
        return Ok(mountres3::Err(mountstat3::MNT3ERR_ACCES));
    };
    export.mounted.store(true, Ordering::Relaxed);
    let fhandle = fhandle3(Opaque::owned(export.handle(Ino::ROOT).to_vec()));
    Ok(mountres3::Ok(mountres3_ok { fhandle, auth_flavors: vec![AUTH_SYS] }))
}

fn text(text: &str) -> Opaque<'static> {
    Opaque::owned(text.as_bytes().to_vec())
}

fn mounted(exports: &Exports, peer: IpAddr) -> mountlist<'static, 'static> {
    let mounted = exports.of(peer).into_iter().filter(|export| export.mounted.load(Ordering::Relaxed));
    List(
        mounted
            .map(|export| mountbody {
                ml_hostname: name(text(&peer.to_string())),
                ml_directory: dirpath(text(&export.path)),
            })
            .collect(),
    )
}

fn exported(exports: &Exports, peer: IpAddr) -> List<export_node<'static, 'static>> {
    let of_peer = exports.of(peer).into_iter();
    List(
        of_peer
            .map(|export| export_node {
                ex_dir: dirpath(text(&export.path)),
                ex_groups: List(vec![name(text(&peer.to_string()))]),
            })
            .collect(),
    )
}
