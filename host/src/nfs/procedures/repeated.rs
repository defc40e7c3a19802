//! The answer to a call that an earlier process has carried out, and whose reply is lost: success, and what is there now.

use nfs3_types::nfs3::{
    CREATE3resok, LINK3resok, Nfs3Option, REMOVE3resok, RENAME3resok, SETATTR3resok, nfsstat3,
};
use nfs3_types::xdr_codec::Pack;

use super::context::{Context, about, handle, name, new_handle, on};
use super::number;
use crate::nfs::attributes::{after, current, unchanged};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::{Reader, XdrError};
use crate::rootfs::Credential;

/// Whether an earlier process has carried out the call, and what that did is there to be seen. `arguments` are its own: all
/// such calls begin with a handle of the layer that they change.
///
/// If it is not there, the call is a new one that looks like an old one, of a program that numbers its calls from a constant.
pub(super) fn is_carried_out(context: &Context<'_>, procedure: u32, arguments: &Reader<'_>) -> bool {
    let Some(call) = context.who.call else { return false };
    let export = handle(&mut arguments.clone()).map(|handle| context.exports.find(context.peer, handle));
    export.is_ok_and(|found| found.is_ok_and(|(export, _)| export.layer.has_carried_out_earlier(call)))
        && has_effect(context, procedure, arguments.clone())
}

/// Whether names are as a call of `procedure`, which must not be carried out twice, leaves them.
pub(in crate::nfs) fn has_effect(context: &Context<'_>, procedure: u32, mut arguments: Reader<'_>) -> bool {
    let arguments = &mut arguments;
    let effect = match procedure {
        number::CREATE..=number::MKNOD => exists(context, arguments),
        number::REMOVE | number::RMDIR => exists(context, arguments).map(|exists| !exists),
        number::RENAME => {
            exists(context, arguments).and_then(|from| Ok(!from && exists(context, arguments)?))
        }
        number::LINK => handle(arguments).and_then(|_file| exists(context, arguments)),
        _ => Ok(true),
    };
    effect.unwrap_or(false)
}

/// Whether there is the name that is next in `arguments`.
fn exists(context: &Context<'_>, arguments: &mut Reader<'_>) -> Result<bool, XdrError> {
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    Ok(on(&dir, |dir| dir.layer().lookup(dir.ino, name, &Credential::root())).is_ok())
}

/// Answers a call of `procedure` that was carried out.
pub(super) fn answer(
    context: &Context<'_>,
    procedure: u32,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let object = context.resolve(handle(arguments)?);
    let wcc = about(&object, unchanged);
    match procedure {
        number::SETATTR => succeed(out, &SETATTR3resok { obj_wcc: wcc }),
        number::CREATE..=number::MKNOD => {
            let name = name(arguments)?;
            let made = on(&object, |dir| dir.layer().lookup(dir.ino, name, &Credential::root()));
            let (obj, obj_attributes) = match (&object, made) {
                (Ok(dir), Ok(made)) => (new_handle(&dir.export, made.ino), after(&dir.export, &made)),
                // It is gone again.
                _ => (Nfs3Option::None, Nfs3Option::None),
            };
            succeed(out, &CREATE3resok { obj, obj_attributes, dir_wcc: wcc })
        }
        number::REMOVE | number::RMDIR => succeed(out, &REMOVE3resok { dir_wcc: wcc }),
        number::RENAME => {
            let _from_name = name(arguments)?;
            let to = context.resolve(handle(arguments)?);
            let renamed = RENAME3resok { fromdir_wcc: wcc, todir_wcc: about(&to, unchanged) };
            succeed(out, &renamed)
        }
        number::LINK => {
            let dir = context.resolve(handle(arguments)?);
            let file_attributes = about(&object, current);
            let linked = LINK3resok { file_attributes, linkdir_wcc: about(&dir, unchanged) };
            succeed(out, &linked)
        }
        _ => Err(Refusal::ProcedureUnavailable),
    }
}

/// Appends the result of a procedure that succeeded.
fn succeed(out: &mut Vec<u8>, result: &impl Pack) -> Result<(), Refusal> {
    (nfsstat3::NFS3_OK as u32).pack(out)?;
    result.pack(out)?;
    Ok(())
}
