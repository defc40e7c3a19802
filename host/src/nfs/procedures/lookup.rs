//! LOOKUP and READLINK.

use nfs3_types::nfs3::{LOOKUP3resfail, LOOKUP3resok, READLINK3resfail, READLINK3resok};

use super::context::{Context, about, finish, handle, name, on, wire_handle};
use crate::nfs::attributes::{after, current};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::Reader;

/// LOOKUP (RFC 1813 §3.3.3).
pub(super) fn lookup(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    let result = on(&dir, |dir| {
        let found = dir.layer().lookup(dir.ino, name, context.who)?;
        Ok(LOOKUP3resok {
            object: wire_handle(&dir.export, found.ino),
            obj_attributes: after(&dir.export, &found),
            dir_attributes: current(&dir.export, dir.ino),
        })
    });
    finish(out, result, || LOOKUP3resfail { dir_attributes: about(&dir, current) })
}

/// READLINK (RFC 1813 §3.3.5).
pub(super) fn read_link(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let link = context.resolve(handle(arguments)?);
    let result = on(&link, |link| {
        let (target, attributes) = link.layer().read_link(link.ino)?;
        Ok(READLINK3resok { symlink_attributes: after(&link.export, &attributes), data: target.into() })
    });
    finish(out, result, || READLINK3resfail { symlink_attributes: about(&link, current) })
}
