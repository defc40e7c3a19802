//! FSSTAT, FSINFO, PATHCONF.

use nfs3_types::nfs3::{
    FSF3_CANSETTIME, FSF3_HOMOGENEOUS, FSF3_LINK, FSF3_SYMLINK, FSINFO3resfail, FSINFO3resok, FSSTAT3resfail,
    FSSTAT3resok, PATHCONF3resfail, PATHCONF3resok, nfstime3,
};

use super::context::{Context, MAX_IO, about, finish, handle, on};
use crate::nfs::attributes::{after, current};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::Reader;
use crate::rootfs::{MAX_LINKS, MAX_NAME};

/// Preferred size of a READDIR, in bytes.
const READDIR_SIZE: u32 = 64 << 10;
/// Sizes of READ and WRITE are best multiples of this, in bytes.
const PAGE: u32 = 4096;

/// FSSTAT (RFC 1813 §3.3.18).
pub(super) fn stat(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let root = context.resolve(handle(arguments)?);
    let result = on(&root, |root| {
        let attributes = root.layer().attributes(root.ino)?;
        let usage = root.layer().usage();
        Ok(FSSTAT3resok {
            obj_attributes: after(&root.export, &attributes),
            tbytes: usage.used_bytes.saturating_add(usage.free_bytes),
            fbytes: usage.free_bytes,
            abytes: usage.free_bytes,
            tfiles: usage.used_inodes + usage.free_inodes,
            ffiles: usage.free_inodes,
            afiles: usage.free_inodes,
            invarsec: 0,
        })
    });
    finish(out, result, || FSSTAT3resfail { obj_attributes: about(&root, current) })
}

/// FSINFO (RFC 1813 §3.3.19).
pub(super) fn info(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let root = context.resolve(handle(arguments)?);
    let result = on(&root, |root| {
        let attributes = root.layer().attributes(root.ino)?;
        Ok(FSINFO3resok {
            obj_attributes: after(&root.export, &attributes),
            rtmax: MAX_IO,
            rtpref: MAX_IO,
            rtmult: PAGE,
            wtmax: MAX_IO,
            wtpref: MAX_IO,
            wtmult: PAGE,
            dtpref: READDIR_SIZE,
            maxfilesize: root.layer().max_file_size(),
            time_delta: nfstime3 { seconds: 0, nseconds: 1 },
            properties: FSF3_LINK | FSF3_SYMLINK | FSF3_HOMOGENEOUS | FSF3_CANSETTIME,
        })
    });
    finish(out, result, || FSINFO3resfail { obj_attributes: about(&root, current) })
}

/// PATHCONF (RFC 1813 §3.3.20).
pub(super) fn path_conf(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let object = context.resolve(handle(arguments)?);
    let result = on(&object, |object| {
        let attributes = object.layer().attributes(object.ino)?;
        Ok(PATHCONF3resok {
            obj_attributes: after(&object.export, &attributes),
            linkmax: MAX_LINKS,
            name_max: MAX_NAME as u32,
            no_trunc: true,
            chown_restricted: true,
            case_insensitive: false,
            case_preserving: true,
        })
    });
    finish(out, result, || PATHCONF3resfail { obj_attributes: about(&object, current) })
}
