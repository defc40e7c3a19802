//! The MOUNT protocol, version 3 (RFC 1813 §5).

use std::net::IpAddr;
use std::sync::Arc;

use nfs3_types::mount::{
    MNTPATHLEN, dirpath, export_node, fhandle3, mountbody, mountlist, mountres3, mountres3_ok, mountstat3,
    name,
};
use nfs3_types::xdr_codec::{List, Opaque, Pack};

use super::credential;
use super::exports::{Export, Exports};
use super::rpc::Refusal;
use super::xdr::Reader;
use crate::rootfs::{Credential, FsError, Ino, Kind, Layer, components};

/// What is between the names of a path.
const SLASH: &[u8] = b"/";

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
            if let Some((export, below)) = find(exports, peer, arguments)? {
                export.note_unmounted(&below.join(SLASH));
            }
        }
        4 => exports.of(peer).iter().for_each(|export| export.note_all_unmounted()),
        5 => exported(exports, peer).pack(out).map(drop)?,
        _ => return Err(Refusal::ProcedureUnavailable),
    }
    Ok(())
}

/// An export, and the names that lead from its root directory to what was asked for.
type Place<'a> = (Arc<Export>, Vec<&'a [u8]>);

/// Where the path in the arguments is: in the export of `peer` that leads furthest, and the newest of such.
fn find<'a>(
    exports: &Exports,
    peer: IpAddr,
    arguments: &mut Reader<'a>,
) -> Result<Option<Place<'a>>, Refusal> {
    let path = arguments.opaque(MNTPATHLEN as u32)?;
    if !path.starts_with(SLASH) {
        return Ok(None);
    }
    let wanted: Vec<&[u8]> = components(path).collect();
    let below = |export: Arc<Export>| {
        let (above, below) = wanted.split_at_checked(components(export.path.as_bytes()).count())?;
        let leads = above.iter().copied().eq(components(export.path.as_bytes()));
        leads.then_some((export, below.to_vec()))
    };
    // Of those that are as good, the first is taken.
    Ok(exports.of(peer).into_iter().filter_map(below).min_by_key(|(_, below)| below.len()))
}

fn mount(exports: &Exports, peer: IpAddr, arguments: &mut Reader<'_>) -> Result<mountres3<'static>, Refusal> {
    let Some((export, below)) = find(exports, peer, arguments)? else {
        return Ok(mountres3::Err(mountstat3::MNT3ERR_ACCES));
    };
    let ino = match directory(&export.layer, &below) {
        Ok(ino) => ino,
        Err(stat) => return Ok(mountres3::Err(stat)),
    };
    export.note_mounted(below.join(SLASH));
    let fhandle = fhandle3(Opaque::owned(export.handle(ino).to_vec()));
    Ok(mountres3::Ok(mountres3_ok { fhandle, auth_flavors: credential::FLAVORS.to_vec() }))
}

/// The directory that `names` lead to from the root. Neither links nor `..` are followed: they could lead to what is
/// another export.
fn directory(layer: &Layer, names: &[&[u8]]) -> Result<Ino, mountstat3> {
    names.iter().try_fold(Ino::ROOT, |dir, component| {
        if *component == b".." {
            return Err(mountstat3::MNT3ERR_NOENT);
        }
        // Whoever mounts is the superuser of the board; who may do what, is asked of each call.
        let found = layer.lookup(dir, component, &Credential::root()).map_err(status)?;
        if found.kind == Kind::Directory { Ok(found.ino) } else { Err(mountstat3::MNT3ERR_NOTDIR) }
    })
}

const fn status(error: FsError) -> mountstat3 {
    match error {
        FsError::NotFound | FsError::Stale => mountstat3::MNT3ERR_NOENT,
        FsError::NameTooLong => mountstat3::MNT3ERR_NAMETOOLONG,
        FsError::NotDirectory => mountstat3::MNT3ERR_NOTDIR,
        FsError::AccessDenied => mountstat3::MNT3ERR_ACCES,
        _ => mountstat3::MNT3ERR_SERVERFAULT,
    }
}

fn text(text: &str) -> Opaque<'static> {
    Opaque::owned(text.as_bytes().to_vec())
}

fn mounted(exports: &Exports, peer: IpAddr) -> mountlist<'static, 'static> {
    let mounted = exports.of(peer).into_iter().flat_map(|export| export.mounted());
    List(
        mounted
            .map(|path| mountbody {
                ml_hostname: name(text(&peer.to_string())),
                ml_directory: dirpath(Opaque::owned(path)),
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
