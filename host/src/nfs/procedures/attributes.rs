//! GETATTR, SETATTR, ACCESS.

use nfs3_types::nfs3::{
    ACCESS3_DELETE, ACCESS3_EXECUTE, ACCESS3_EXTEND, ACCESS3_LOOKUP, ACCESS3_MODIFY, ACCESS3_READ,
    ACCESS3resfail, ACCESS3resok, GETATTR3resok, SETATTR3resfail, SETATTR3resok,
};
use nfs3_types::xdr_codec::Void;

use super::context::{Context, about, finish, handle, on};
use crate::nfs::attributes::{after, current, fattr, read_set_attributes, read_time, unchanged, wcc};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::Reader;
use crate::rootfs::{Kind, Permissions};

/// GETATTR (RFC 1813 §3.3.1).
pub(super) fn get(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let object = context.resolve(handle(arguments)?);
    let result = on(&object, |object| {
        let attributes = object.layer().attributes(object.ino)?;
        Ok(GETATTR3resok { obj_attributes: fattr(&object.export, &attributes) })
    });
    finish(out, result, || Void)
}

/// SETATTR (RFC 1813 §3.3.2).
pub(super) fn set(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let object = context.resolve(handle(arguments)?);
    let change = read_set_attributes(arguments)?;
    let guard = arguments.option(read_time)?.transpose();
    let result = on(&object, |object| {
        let pair = object.layer().set_attributes(object.ino, &change?, guard?, context.who)?;
        Ok(SETATTR3resok { obj_wcc: wcc(&object.export, &pair) })
    });
    finish(out, result, || SETATTR3resfail { obj_wcc: about(&object, unchanged) })
}

/// ACCESS (RFC 1813 §3.3.4).
pub(super) fn access(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let object = context.resolve(handle(arguments)?);
    let wanted = arguments.u32()?;
    let result = on(&object, |object| {
        let (permissions, attributes) = object.layer().permissions(object.ino, context.who)?;
        let access = wanted & granted(permissions, attributes.kind == Kind::Directory);
        Ok(ACCESS3resok { obj_attributes: after(&object.export, &attributes), access })
    });
    finish(out, result, || ACCESS3resfail { obj_attributes: about(&object, current) })
}

fn granted(permissions: Permissions, directory: bool) -> u32 {
    let (write, execute) = if directory {
        (ACCESS3_MODIFY | ACCESS3_EXTEND | ACCESS3_DELETE, ACCESS3_LOOKUP)
    } else {
        (ACCESS3_MODIFY | ACCESS3_EXTEND, ACCESS3_EXECUTE)
    };
    let bits = [(permissions.read, ACCESS3_READ), (permissions.write, write), (permissions.execute, execute)];
    bits.iter().filter(|(may, _)| *may).fold(0, |all, (_, bits)| all | bits)
}
