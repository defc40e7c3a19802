//! READ, WRITE, COMMIT.

use std::net::IpAddr;

use nfs3_types::nfs3::{
    COMMIT3resfail, COMMIT3resok, Nfs3Result, READ3resfail, READ3resok, WRITE3resfail, WRITE3resok, nfsstat3,
    stable_how, writeverf3,
};
use nfs3_types::xdr_codec::Pack;

use super::context::{Context, MAX_IO, about, finish, handle, on};
use super::number;
use crate::nfs::attributes::{after, current, status, unchanged, wcc};
use crate::nfs::exports::{Export, Exports};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::{Reader, XdrError};
use crate::rootfs::{ArchiveExtent, Durability, FsError, Reading};

/// Bytes of a READ's result before its data: status, attributes, and the tail below.
const READ_HEAD: usize = 104;
/// Bytes of a READ's result between attributes and data: count, end of file, length of the data.
const READ_TAIL: usize = 12;

/// How WRITE says that its data need not be stable.
const UNSTABLE: u32 = stable_how::UNSTABLE as u32;

/// The least that is worth a system call of its own to be sent without a copy, in bytes.
const MIN_EXTENT: usize = 8 << 10;

/// READ (RFC 1813 §3.3.6). Data that lies in one piece in the lower layer is returned and not appended.
pub(super) fn read(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<Option<ArchiveExtent>, Refusal> {
    let file = context.resolve(handle(arguments)?);
    let (offset, count) = (arguments.u64()?, arguments.u32()?.min(MAX_IO));
    let begin = out.len();
    let reading = on(&file, |file| file.layer().begin_read(file.ino, offset, count as usize, context.who));
    let result = match (&file, reading) {
        (Ok(file), Ok(reading)) => {
            let extent = if reading.count >= MIN_EXTENT { reading.in_archive() } else { None };
            if extent.is_some() {
                read_extent(out, &file.export, &reading)?;
                return Ok(extent);
            }
            read_into(out, &file.export, &reading)?.map_err(status)
        }
        (_, reading) => Err(reading.err().unwrap_or(nfsstat3::NFS3ERR_SERVERFAULT)),
    };
    if let Err(stat) = result {
        out.truncate(begin);
        let failure = READ3resfail { file_attributes: about(&file, current) };
        Nfs3Result::<READ3resok<'_>, _>::Err((stat, failure)).pack(out)?;
    }
    Ok(None)
}

/// Appends the result of a READ up to its data, which is all that there is to read.
fn read_extent(out: &mut Vec<u8>, export: &Export, reading: &Reading<'_>) -> Result<(), Refusal> {
    (nfsstat3::NFS3_OK as u32).pack(out)?;
    after(export, &reading.attributes).pack(out)?;
    let length = u32::try_from(reading.count).map_err(|_| Refusal::SystemError)?;
    out.extend_from_slice(read_tail(length, reading.is_last()).as_flattened());
    export.count_read(reading.count);
    Ok(())
}

/// What stands between attributes and data: count, end of file, length of the data.
fn read_tail(length: u32, eof: bool) -> [[u8; 4]; 3] {
    [length, u32::from(eof), length].map(u32::to_be_bytes)
}

/// Appends the result of a READ, a `READ3resok`: the data goes from the disk to its place in the reply.
fn read_into(
    out: &mut Vec<u8>,
    export: &Export,
    reading: &Reading<'_>,
) -> Result<Result<(), FsError>, Refusal> {
    out.reserve_exact(READ_HEAD + reading.count + size_of::<u32>());
    (nfsstat3::NFS3_OK as u32).pack(out)?;
    after(export, &reading.attributes).pack(out)?;
    let tail = out.len();
    let data = tail + READ_TAIL;
    out.resize(data + reading.count, 0);
    let (count, eof) = match reading.read(out.get_mut(data..).unwrap_or_default()) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    out.truncate(data + count);
    out.resize(data + count.next_multiple_of(4), 0);
    let length = u32::try_from(count).map_err(|_| Refusal::SystemError)?;
    if let Some(place) = out.get_mut(tail..data) {
        place.copy_from_slice(read_tail(length, eof).as_flattened());
    }
    export.count_read(count);
    Ok(Ok(()))
}

/// Whether a call waits for a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nfs) enum Waits {
    No,
    /// A disk that has fallen behind would keep it.
    Perhaps,
    Yes,
}

/// Whether a call of `procedure`, which reads or changes something, waits for a disk: who reads what is not in memory, and
/// who is told that something will outlive a power failure.
pub(in crate::nfs) fn waits(
    exports: &Exports,
    peer: IpAddr,
    procedure: u32,
    mut arguments: Reader<'_>,
) -> Waits {
    let Ok((export, ino)) = handle(&mut arguments)
        .map_err(|_| nfsstat3::NFS3ERR_BADHANDLE)
        .and_then(|handle| exports.find(peer, handle))
    else {
        return Waits::No;
    };
    let mut range = || Ok::<_, XdrError>((arguments.u64()?, arguments.u32()?.min(MAX_IO)));
    let lasting = export.layer.durability() == Durability::Power;
    match (procedure, range()) {
        (number::READ, Ok((offset, count))) if export.layer.may_wait_to_read(ino, offset, count) => {
            Waits::Yes
        }
        (number::READ, _) => Waits::No,
        (number::WRITE, _) if lasting && !matches!(arguments.u32(), Ok(UNSTABLE)) => Waits::Yes,
        (number::WRITE, _) => Waits::Perhaps,
        _ if lasting => Waits::Yes,
        _ => Waits::No,
    }
}

/// WRITE (RFC 1813 §3.3.7). Of more than [`MAX_IO`] bytes the first are written, and the client is told how many.
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
    let data = arguments.opaque(u32::MAX)?;
    if stable > 2 {
        return Err(XdrError::BadValue(stable).into());
    }
    if data.len() != count as usize {
        return Err(Refusal::GarbageArguments);
    }
    let count = count.min(MAX_IO);
    let data = data.get(..count as usize).unwrap_or_default();
    let result = on(&file, |file| {
        let layer = file.layer();
        let pair = layer.write(file.ino, offset, data, context.who)?;
        if stable != UNSTABLE {
            layer.commit()?;
        }
        file.export.count_written(data.len());
        let lasting = stable != UNSTABLE || layer.durability() == Durability::Process;
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
        let pair = file.layer().commit_file(file.ino, context.who)?;
        Ok(COMMIT3resok {
            file_wcc: wcc(&file.export, &pair),
            verf: writeverf3(file.layer().write_verifier()),
        })
    });
    finish(out, result, || COMMIT3resfail { file_wcc: about(&file, unchanged) })
}
