//! Headers of calls and replies (RFC 5531 §9).

use nfs3_types::rpc::{
    accept_stat_data, accepted_reply, auth_stat, msg_body, opaque_auth, rejected_reply, reply_body, rpc_msg,
};
use nfs3_types::xdr_codec::Pack;

use super::credential;
use super::xdr::{Reader, XdrError};
use crate::rootfs::Credential;

const CALL: u32 = 0;
const RPC_VERSION: u32 = 2;

/// A call.
#[derive(Debug)]
pub(super) struct Call<'r> {
    /// All of it.
    pub(super) record: &'r [u8],
    pub(super) xid: u32,
    pub(super) program: u32,
    pub(super) version: u32,
    pub(super) procedure: u32,
    pub(super) caller: Credential,
    /// What is left of the record behind the header.
    pub(super) arguments: Reader<'r>,
}

/// Why a record is not carried out as a call.
#[derive(Debug)]
pub(super) enum HeaderError {
    /// It is no whole call header: nothing can be answered.
    NotACall,
    /// It is a call that is denied with this reply.
    Denied(Vec<u8>),
}

impl From<XdrError> for HeaderError {
    fn from(_: XdrError) -> Self {
        Self::NotACall
    }
}

/// Why a call was accepted and yet not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    ProgramUnavailable,
    /// The lowest and the highest version that is spoken.
    ProgramMismatch(u32, u32),
    ProcedureUnavailable,
    GarbageArguments,
    SystemError,
}

impl From<XdrError> for Refusal {
    fn from(_: XdrError) -> Self {
        Self::GarbageArguments
    }
}

impl From<nfs3_types::xdr_codec::Error> for Refusal {
    fn from(_: nfs3_types::xdr_codec::Error) -> Self {
        Self::SystemError
    }
}

/// Reads the header of the call in `record`.
///
/// # Errors
/// [`HeaderError`]
pub(super) fn parse(record: &[u8]) -> Result<Call<'_>, HeaderError> {
    let mut reader = Reader::new(record);
    let xid = reader.u32()?;
    if reader.u32()? != CALL {
        return Err(HeaderError::NotACall);
    }
    if reader.u32()? != RPC_VERSION {
        return Err(denied(xid, rejected_reply::RPC_MISMATCH { low: RPC_VERSION, high: RPC_VERSION }));
    }
    let (program, version, procedure) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let bad = |stat| denied(xid, rejected_reply::AUTH_ERROR(stat));
    let (flavor, body) = auth(&mut reader, || bad(auth_stat::AUTH_BADCRED))?;
    let verifier = auth(&mut reader, || bad(auth_stat::AUTH_BADVERF))?;
    let caller = credential::decode(flavor, body).map_err(bad)?;
    credential::check_verifier(verifier.0, verifier.1).map_err(bad)?;
    Ok(Call { record, xid, program, version, procedure, caller, arguments: reader })
}

fn auth<'a>(
    reader: &mut Reader<'a>,
    too_long: impl FnOnce() -> HeaderError,
) -> Result<(u32, &'a [u8]), HeaderError> {
    let flavor = reader.u32()?;
    match reader.opaque(credential::MAX_AUTH_BODY) {
        Ok(body) => Ok((flavor, body)),
        Err(XdrError::TooLong { .. }) => Err(too_long()),
        Err(error) => Err(error.into()),
    }
}

fn denied(xid: u32, why: rejected_reply) -> HeaderError {
    let mut reply = Vec::with_capacity(32);
    let message = rpc_msg { xid, body: msg_body::REPLY(reply_body::MSG_DENIED(why)) };
    match message.pack(&mut reply) {
        Ok(_) => HeaderError::Denied(reply),
        Err(_) => HeaderError::NotACall,
    }
}

/// The header of the reply to a call that was carried out; its results follow.
///
/// # Errors
/// [`Refusal::SystemError`] if it cannot be packed.
pub(super) fn accepted(xid: u32) -> Result<Vec<u8>, Refusal> {
    reply(xid, accept_stat_data::SUCCESS)
}

/// The whole reply to a call that was not carried out; `None` if it cannot be packed.
pub(super) fn refused(xid: u32, why: Refusal) -> Option<Vec<u8>> {
    let stat = match why {
        Refusal::ProgramUnavailable => accept_stat_data::PROG_UNAVAIL,
        Refusal::ProgramMismatch(low, high) => accept_stat_data::PROG_MISMATCH { low, high },
        Refusal::ProcedureUnavailable => accept_stat_data::PROC_UNAVAIL,
        Refusal::GarbageArguments => accept_stat_data::GARBAGE_ARGS,
        Refusal::SystemError => accept_stat_data::SYSTEM_ERR,
    };
    reply(xid, stat).ok()
}

fn reply(xid: u32, reply_data: accept_stat_data) -> Result<Vec<u8>, Refusal> {
    let accepted = accepted_reply { verf: opaque_auth::default(), reply_data };
    let message = rpc_msg { xid, body: msg_body::REPLY(reply_body::MSG_ACCEPTED(accepted)) };
    let mut reply = Vec::with_capacity(512);
    message.pack(&mut reply)?;
    Ok(reply)
}
