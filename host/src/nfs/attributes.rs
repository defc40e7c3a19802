//! Attributes on the wire (RFC 1813 §2.3.5, §2.6).

use nfs3_types::nfs3::{
    Nfs3Option, fattr3, ftype3, nfsstat3, nfstime3, post_op_attr, pre_op_attr, specdata3, wcc_attr, wcc_data,
};

use super::exports::Export;
use super::xdr::{Reader, XdrError};
use crate::rootfs::{Attributes, FsError, Ino, Kind, SetAttributes, SetTime, Timestamp, WccPair};

/// The status that tells of `error`.
pub(super) const fn status(error: FsError) -> nfsstat3 {
    match error {
        FsError::NotPermitted => nfsstat3::NFS3ERR_PERM,
        FsError::NotFound => nfsstat3::NFS3ERR_NOENT,
        FsError::Io => nfsstat3::NFS3ERR_IO,
        FsError::AccessDenied => nfsstat3::NFS3ERR_ACCES,
        FsError::Exists => nfsstat3::NFS3ERR_EXIST,
        FsError::NotDirectory => nfsstat3::NFS3ERR_NOTDIR,
        FsError::IsDirectory => nfsstat3::NFS3ERR_ISDIR,
        // RFC 1813 has no ELOOP; no procedure follows links.
        FsError::Invalid | FsError::Loop => nfsstat3::NFS3ERR_INVAL,
        FsError::FileTooLarge => nfsstat3::NFS3ERR_FBIG,
        FsError::NoSpace => nfsstat3::NFS3ERR_NOSPC,
        FsError::TooManyLinks => nfsstat3::NFS3ERR_MLINK,
        FsError::NameTooLong => nfsstat3::NFS3ERR_NAMETOOLONG,
        FsError::NotEmpty => nfsstat3::NFS3ERR_NOTEMPTY,
        FsError::Stale => nfsstat3::NFS3ERR_STALE,
        FsError::NotSync => nfsstat3::NFS3ERR_NOT_SYNC,
    }
}

const fn time(time: Timestamp) -> nfstime3 {
    nfstime3 { seconds: time.seconds, nseconds: time.nanoseconds }
}

/// Attributes of an object in `export`.
pub(super) fn fattr(export: &Export, of: &Attributes) -> fattr3 {
    fattr3 {
        type_: match of.kind {
            Kind::Regular => ftype3::NF3REG,
            Kind::Directory => ftype3::NF3DIR,
            Kind::Symlink => ftype3::NF3LNK,
            Kind::CharacterDevice => ftype3::NF3CHR,
            Kind::BlockDevice => ftype3::NF3BLK,
            Kind::Fifo => ftype3::NF3FIFO,
            Kind::Socket => ftype3::NF3SOCK,
        },
        mode: of.mode,
        nlink: of.nlink,
        uid: of.uid,
        gid: of.gid,
        size: of.size,
        used: of.used,
        rdev: specdata3 { specdata1: of.device.0, specdata2: of.device.1 },
        fsid: export.id(),
        fileid: u64::from(of.ino.get()),
        atime: time(of.atime),
        mtime: time(of.mtime),
        ctime: time(of.ctime),
    }
}

/// Attributes after an operation.
pub(super) fn after(export: &Export, of: &Attributes) -> post_op_attr {
    Nfs3Option::Some(fattr(export, of))
}

/// Attributes as they are now, if the object still is there.
pub(super) fn current(export: &Export, ino: Ino) -> post_op_attr {
    export.layer.attributes(ino).map_or(Nfs3Option::None, |of| after(export, &of))
}

/// Both sides of a change.
pub(super) fn wcc(export: &Export, pair: &WccPair) -> wcc_data {
    let before =
        wcc_attr { size: pair.before.size, mtime: time(pair.before.mtime), ctime: time(pair.before.ctime) };
    wcc_data { before: pre_op_attr::Some(before), after: after(export, &pair.after) }
}

/// What is known of an object that was not changed.
pub(super) fn unchanged(export: &Export, ino: Ino) -> wcc_data {
    wcc_data { before: pre_op_attr::None, after: current(export, ino) }
}

/// What was decoded as it should be, or why the operation must refuse it all the same.
pub(super) type Checked<T> = Result<T, FsError>;

/// Decodes an `nfstime3`; a nanosecond beyond the second is none.
pub(super) fn read_time(arguments: &mut Reader<'_>) -> Result<Checked<Timestamp>, XdrError> {
    let (seconds, nanoseconds) = (arguments.u32()?, arguments.u32()?);
    let valid = nanoseconds < 1_000_000_000;
    Ok(if valid { Ok(Timestamp { seconds, nanoseconds }) } else { Err(FsError::Invalid) })
}

/// Decodes an `sattr3`.
pub(super) fn read_set_attributes(arguments: &mut Reader<'_>) -> Result<Checked<SetAttributes>, XdrError> {
    let (mode, uid) = (arguments.option(Reader::u32)?, arguments.option(Reader::u32)?);
    let (gid, size) = (arguments.option(Reader::u32)?, arguments.option(Reader::u64)?);
    let (atime, mtime) = (read_set_time(arguments)?, read_set_time(arguments)?);
    Ok(atime.and_then(|atime| Ok(SetAttributes { mode, uid, gid, size, atime, mtime: mtime? })))
}

fn read_set_time(arguments: &mut Reader<'_>) -> Result<Checked<SetTime>, XdrError> {
    match arguments.u32()? {
        0 => Ok(Ok(SetTime::Keep)),
        1 => Ok(Ok(SetTime::Now)),
        2 => Ok(read_time(arguments)?.map(SetTime::To)),
        other => Err(XdrError::BadValue(other)),
    }
}
