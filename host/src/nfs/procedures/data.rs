//! READ, WRITE, COMMIT.

use nfs3_types::nfs3::{
    COMMIT3resfail, COMMIT3resok, Nfs3Result, READ3resfail, READ3resok, WRITE3resfail, WRITE3resok, nfsstat3,
    stable_how, writeverf3,
};
use nfs3_types::xdr_codec::{Opaque, Pack};

use super::context::{Context, MAX_IO, about, finish, handle, on};
use crate::nfs::attributes::{after, current, unchanged, wcc};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::{Reader, XdrError};
use crate::rootfs::Durability;

/// READ (RFC 1813 §3.3.6).
pub(super) fn read(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let file = context.resolve(handle(arguments)?);
    let (offset, count) = (arguments.u64()?, arguments.u32()?.min(MAX_IO));
    let mut buffer = Vec::new();
    let result = on(&file, |file| {
        let left = file.layer().attributes(file.ino)?.size.saturating_sub(offset);
        buffer.resize(usize::try_from(left).unwrap_or(usize::MAX).min(count as usize), 0);
        file.layer().read(file.ino, offset, &mut buffer, context.who)
    });
    let (file, outcome) = match (&file, result) {
        (Ok(file), Ok(outcome)) => (file, outcome),
        (_, result) => {
            let stat = result.err().unwrap_or(nfsstat3::NFS3ERR_SERVERFAULT);
            let failure = READ3resfail { file_attributes: about(&file, current) };
            Nfs3Result::<READ3resok<'_>, _>::Err((stat, failure)).pack(out)?;
            return Ok(());
        }
    };
    buffer.truncate(outcome.count);
    file.export.count_read(buffer.len());
    out.reserve(buffer.len() + 128);
    let result = READ3resok {
        file_attributes: after(&file.export, &outcome.attributes),
        count: u32::try_from(buffer.len()).map_err(|_| Refusal::SystemError)?,
        eof: outcome.eof,
        data: Opaque::borrowed(&buffer),
    };
    Nfs3Result::<_, READ3resfail>::Ok(result).pack(out)?;
    Ok(())
}

/// WRITE (RFC 1813 §3.3.7).
///
/// What a layer need not keep over a power failure is as stable as it ever will be, and is answered with `FILE_SYNC`,
/// which saves the client its COMMIT.
pub(super) fn write(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let file = context.resolve(handle(arguments)?);
    let (offset, count, stable) = (arguments.u64()?, arguments.u32()?, arguments.u32()?);
    let data = arguments.opaque(MAX_IO)?;
    if stable > 2 {
        return Err(XdrError::BadValue(stable).into());
    }
    if data.len() != count as usize {
        return Err(Refusal::GarbageArguments);
    }
    let result = on(&file, |file| {
        let layer = file.layer();
        let pair = layer.write(file.ino, offset, data, context.who)?;
        if stable != stable_how::UNSTABLE as u32 {
            layer.commit()?;
        }
        file.export.count_written(data.len());
        let lasting = stable != stable_how::UNSTABLE as u32 || layer.durability() == Durability::Process;
        Ok(WRITE3resok {
            file_wcc: wcc(&file.export, &pair),
            count,
            committed: if lasting { stable_how::FILE_SYNC } else { stable_how::UNSTABLE },
            verf: writeverf3(file.layer().write_verifier()),
        })
    });
    finish(out, result, || WRITE3resfail { file_wcc: about(&file, unchanged) })
}

/// COMMIT (RFC 1813 §3.3.21).
pub(super) fn commit(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let file = context.resolve(handle(arguments)?);
    let (_offset, _count) = (arguments.u64()?, arguments.u32()?);
    let result = on(&file, |file| {
        file.layer().attributes(file.ino)?;
        file.layer().commit()?;
        Ok(COMMIT3resok {
            file_wcc: unchanged(&file.export, file.ino),
            verf: writeverf3(file.layer().write_verifier()),
        })
    });
    finish(out, result, || COMMIT3resfail { file_wcc: about(&file, unchanged) })
}
