//! What every procedure has in common, and which is which.

use std::net::IpAddr;
use std::sync::Arc;

use nfs3_types::nfs3::{NFS3_FHSIZE, Nfs3Option, Nfs3Result, nfs_fh3, nfsstat3, post_op_fh3};
use nfs3_types::xdr_codec::{Opaque, Pack};

use super::{attributes, create, data, directory, file_system, lookup, number, remove, repeated};
use crate::nfs::attributes::status;
use crate::nfs::exports::{Export, Exports};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::{Reader, XdrError};
use crate::rootfs::{ArchiveExtent, Credential, FsError, Ino, Layer};

/// The largest READ and WRITE, in bytes.
pub(super) const MAX_IO: u32 = 1 << 20;

/// Who calls, and what there is to see.
#[derive(Clone, Copy, Debug)]
pub(in crate::nfs) struct Context<'a> {
    pub(in crate::nfs) exports: &'a Exports,
    pub(in crate::nfs) peer: IpAddr,
    pub(in crate::nfs) who: &'a Credential,
}

/// An object that a handle stands for.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) export: Arc<Export>,
    pub(super) ino: Ino,
}

impl Object {
    pub(super) fn layer(&self) -> &Layer {
        &self.export.layer
    }
}

/// Whether `procedure` is not idempotent: it must not be carried out twice.
pub(in crate::nfs) const fn is_non_idempotent(procedure: u32) -> bool {
    matches!(procedure, number::SETATTR | number::CREATE..=number::LINK)
}

/// Whether `procedure` is READ, WRITE or COMMIT.
pub(in crate::nfs) const fn moves_data(procedure: u32) -> bool {
    matches!(procedure, number::READ | number::WRITE | number::COMMIT)
}

/// Carries out `procedure` and appends its result to `out`; returned is file data that belongs behind it.
pub(in crate::nfs) fn call(
    context: &Context<'_>,
    procedure: u32,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<Option<ArchiveExtent>, Refusal> {
    if repeated::is_carried_out(context, procedure, arguments) {
        return repeated::answer(context, procedure, arguments, out).map(|()| None);
    }
    match procedure {
        number::NULL => Ok(()),
        number::GETATTR => attributes::get(context, arguments, out),
        number::SETATTR => attributes::set(context, arguments, out),
        number::LOOKUP => lookup::lookup(context, arguments, out),
        number::ACCESS => attributes::access(context, arguments, out),
        number::READLINK => lookup::read_link(context, arguments, out),
        number::READ => return data::read(context, arguments, out),
        number::WRITE => data::write(context, arguments, out),
        number::CREATE => create::create(context, arguments, out),
        number::MKDIR => create::make_directory(context, arguments, out),
        number::SYMLINK => create::symlink(context, arguments, out),
        number::MKNOD => create::make_node(context, arguments, out),
        number::REMOVE => remove::remove(context, arguments, out),
        number::RMDIR => remove::remove_directory(context, arguments, out),
        number::RENAME => remove::rename(context, arguments, out),
        number::LINK => create::link(context, arguments, out),
        number::READDIR => directory::read(context, arguments, out),
        number::READDIRPLUS => directory::read_plus(context, arguments, out),
        number::FSSTAT => file_system::stat(context, arguments, out),
        number::FSINFO => file_system::info(context, arguments, out),
        number::PATHCONF => file_system::path_conf(context, arguments, out),
        number::COMMIT => data::commit(context, arguments, out),
        _ => Err(Refusal::ProcedureUnavailable),
    }
    .map(|()| None)
}

impl Context<'_> {
    /// The object that `handle` stands for.
    pub(super) fn resolve(&self, handle: &[u8]) -> Result<Object, nfsstat3> {
        let (export, ino) = self.exports.resolve(self.peer, handle)?;
        Ok(Object { export, ino })
    }
}

/// Decodes a file handle.
pub(super) fn handle<'a>(arguments: &mut Reader<'a>) -> Result<&'a [u8], XdrError> {
    arguments.opaque(NFS3_FHSIZE as u32)
}

/// Decodes a name or path; how long it may be is for the layer to say, with a status of its own.
pub(super) fn name<'a>(arguments: &mut Reader<'a>) -> Result<&'a [u8], XdrError> {
    arguments.opaque(u32::MAX)
}

/// Appends the result of a procedure: what it gave, or the status and what there is to say about its failure.
pub(super) fn finish<T: Pack, F: Pack>(
    out: &mut Vec<u8>,
    result: Result<T, nfsstat3>,
    failure: impl FnOnce() -> F,
) -> Result<(), Refusal> {
    let result = result.map_or_else(|stat| Nfs3Result::Err((stat, failure())), Nfs3Result::Ok);
    result.pack(out)?;
    Ok(())
}

/// Carries out `work` on the object that a handle stands for.
pub(super) fn on<'o, T>(
    object: &'o Result<Object, nfsstat3>,
    work: impl FnOnce(&'o Object) -> Result<T, FsError>,
) -> Result<T, nfsstat3> {
    object.as_ref().map_err(|stat| *stat).and_then(|object| work(object).map_err(status))
}

/// Something about an object, or the default if the handle stands for none.
pub(super) fn about<T: Default>(
    object: &Result<Object, nfsstat3>,
    tell: impl FnOnce(&Export, Ino) -> T,
) -> T {
    object.as_ref().map_or_else(|_| T::default(), |object| tell(&object.export, object.ino))
}

/// The handle of `ino` on the wire.
pub(super) fn wire_handle(export: &Export, ino: Ino) -> nfs_fh3 {
    nfs_fh3 { data: Opaque::owned(export.handle(ino).to_vec()) }
}

/// The handle of a new object on the wire.
pub(super) fn new_handle(export: &Export, ino: Ino) -> post_op_fh3 {
    Nfs3Option::Some(wire_handle(export, ino))
}
