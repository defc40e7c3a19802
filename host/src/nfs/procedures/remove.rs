//! REMOVE, RMDIR, RENAME.

use nfs3_types::nfs3::{REMOVE3resfail, REMOVE3resok, RENAME3resfail, RENAME3resok, nfsstat3};

use super::context::{Context, Object, about, finish, handle, name, on};
use crate::nfs::attributes::{unchanged, wcc};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::Reader;
use crate::rootfs::{FsError, WccPair};

/// REMOVE (RFC 1813 §3.3.12).
pub(super) fn remove(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    finish_removed(context, arguments, out, |dir, name| dir.layer().remove(dir.ino, name, context.who))
}

/// RMDIR (RFC 1813 §3.3.13).
pub(super) fn remove_directory(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    finish_removed(context, arguments, out, |dir, name| {
        dir.layer().remove_directory(dir.ino, name, context.who)
    })
}

/// REMOVE and RMDIR share the layout of arguments and results.
fn finish_removed(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
    remove: impl FnOnce(&Object, &[u8]) -> Result<WccPair, FsError>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    let result = on(&dir, |dir| Ok(REMOVE3resok { dir_wcc: wcc(&dir.export, &remove(dir, name)?) }));
    finish(out, result, || REMOVE3resfail { dir_wcc: about(&dir, unchanged) })
}

/// RENAME (RFC 1813 §3.3.14).
pub(super) fn rename(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let from = context.resolve(handle(arguments)?);
    let from_name = name(arguments)?;
    let to = context.resolve(handle(arguments)?);
    let to_name = name(arguments)?;
    let result = from.as_ref().map_err(|stat| *stat).and_then(|from| {
        if to.as_ref().is_ok_and(|to| to.export.id() != from.export.id()) {
            return Err(nfsstat3::NFS3ERR_XDEV);
        }
        on(&to, |to| {
            let names = ((from.ino, from_name), (to.ino, to_name));
            let renamed = to.layer().rename(names.0, names.1, context.who)?;
            Ok(RENAME3resok {
                fromdir_wcc: wcc(&from.export, &renamed.from),
                todir_wcc: wcc(&to.export, &renamed.to),
            })
        })
    });
    finish(out, result, || RENAME3resfail {
        fromdir_wcc: about(&from, unchanged),
        todir_wcc: about(&to, unchanged),
    })
}
