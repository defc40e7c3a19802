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
/// A short form of a credential that a server gave out in its verifier: this one never does.
const AUTH_SHORT: u32 = 2;

/// The flavours that a caller may use, the better ones first.
pub(super) const FLAVORS: [u32; 2] = [AUTH_SYS, AUTH_NONE];

/// The caller by flavour and body of a credential. Without one the caller is nobody.
///
/// # Errors
/// The reason to deny the call: a malformed body, or a flavour that is not spoken here.
pub(super) fn decode(flavor: u32, body: &[u8]) -> Result<Credential, auth_stat> {
    match flavor {
        AUTH_NONE if body.is_empty() => Ok(Credential::nobody()),
        AUTH_NONE => Err(auth_stat::AUTH_BADCRED),
        AUTH_SYS => auth_sys(&mut Reader::new(body)).map_err(|_| auth_stat::AUTH_BADCRED),
        AUTH_SHORT => Err(auth_stat::AUTH_REJECTEDCRED),
        _ => Err(auth_stat::AUTH_TOOWEAK),
    }
}

/// Checks the verifier of a call: with the flavours that are spoken here there is nothing to verify.
///
/// # Errors
/// The reason to deny the call.
pub(super) fn check_verifier(flavor: u32, body: &[u8]) -> Result<(), auth_stat> {
    if flavor == AUTH_NONE && body.is_empty() { Ok(()) } else { Err(auth_stat::AUTH_BADVERF) }
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
