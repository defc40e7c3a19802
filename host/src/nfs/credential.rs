//! Who calls: AUTH_SYS and AUTH_NONE (RFC 5531 §8.2, §14).

use nfs3_types::rpc::auth_stat;

use super::xdr::{Reader, XdrError};
use crate::rootfs::Credential;

/// Bytes that a credential or verifier may have (RFC 5531 §8.2).
pub(super) const MAX_AUTH_BODY: u32 = 400;
const MAX_MACHINE_NAME: u32 = 255;
const MAX_GIDS: u32 = 16;
const AUTH_NONE: u32 = 0;
const AUTH_SYS: u32 = 1;

/// The caller by flavour and body of a credential. Without one the caller is nobody.
///
/// # Errors
/// The reason to deny the call: a malformed body, or a flavour that is not spoken here.
pub(super) fn decode(flavor: u32, body: &[u8]) -> Result<Credential, auth_stat> {
    match flavor {
        AUTH_NONE => Ok(Credential::nobody()),
        AUTH_SYS => auth_sys(&mut Reader::new(body)).map_err(|_| auth_stat::AUTH_BADCRED),
        _ => Err(auth_stat::AUTH_TOOWEAK),
    }
}

fn auth_sys(body: &mut Reader<'_>) -> Result<Credential, XdrError> {
    let _stamp = body.u32()?;
    body.opaque(MAX_MACHINE_NAME)?;
    let (uid, gid) = (body.u32()?, body.u32()?);
    let count = body.u32()?;
    if count > MAX_GIDS {
        return Err(XdrError::TooLong { length: count, limit: MAX_GIDS });
    }
    let gids = (0..count).map(|_| body.u32()).collect::<Result<_, _>>()?;
    Ok(Credential { uid, gid, gids, call: None })
}
