//! CREATE, MKDIR, SYMLINK, MKNOD, LINK.

use nfs3_types::nfs3::{CREATE3resfail, CREATE3resok, LINK3resfail, LINK3resok, nfsstat3};

use super::context::{Context, Object, about, finish, handle, name, new_handle, on};
use crate::nfs::attributes::{after, current, read_set_attributes, unchanged, wcc};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::{Reader, XdrError};
use crate::rootfs::{CreateMode, Created, FsError, NewNode};

/// CREATE (RFC 1813 §3.3.8).
pub(super) fn create(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    let how = match arguments.u32()? {
        0 => read_set_attributes(arguments)?.map(CreateMode::Unchecked),
        1 => read_set_attributes(arguments)?.map(CreateMode::Guarded),
        2 => Ok(CreateMode::Exclusive(arguments.fixed()?)),
        other => return Err(XdrError::BadValue(other).into()),
    };
    finish_created(out, &dir, |dir| dir.layer().create(dir.ino, name, how?, context.who))
}

/// MKDIR (RFC 1813 §3.3.9).
pub(super) fn make_directory(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    let attributes = read_set_attributes(arguments)?;
    finish_created(out, &dir, |dir| {
        dir.layer().make_node(dir.ino, name, NewNode::Directory, &attributes?, context.who)
    })
}

/// SYMLINK (RFC 1813 §3.3.10).
pub(super) fn symlink(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let link = name(arguments)?;
    let attributes = read_set_attributes(arguments)?;
    let node = NewNode::Symlink(name(arguments)?.to_vec());
    finish_created(out, &dir, |dir| dir.layer().make_node(dir.ino, link, node, &attributes?, context.who))
}

/// MKNOD (RFC 1813 §3.3.11).
pub(super) fn make_node(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    let kind = arguments.u32()?;
    let (node, attributes) = match kind {
        3 | 4 => {
            let attributes = read_set_attributes(arguments)?;
            let (major, minor) = (arguments.u32()?, arguments.u32()?);
            let block = kind == 3;
            let node = if block {
                NewNode::BlockDevice(major, minor)
            } else {
                NewNode::CharacterDevice(major, minor)
            };
            (node, attributes)
        }
        6 => (NewNode::Socket, read_set_attributes(arguments)?),
        7 => (NewNode::Fifo, read_set_attributes(arguments)?),
        1 | 2 | 5 => {
            let result =
                Err::<CREATE3resok, _>(dir.as_ref().err().copied().unwrap_or(nfsstat3::NFS3ERR_BADTYPE));
            return finish(out, result, || CREATE3resfail { dir_wcc: about(&dir, unchanged) });
        }
        other => return Err(XdrError::BadValue(other).into()),
    };
    finish_created(out, &dir, |dir| dir.layer().make_node(dir.ino, name, node, &attributes?, context.who))
}

/// LINK (RFC 1813 §3.3.15).
pub(super) fn link(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let file = context.resolve(handle(arguments)?);
    let dir = context.resolve(handle(arguments)?);
    let name = name(arguments)?;
    let result = file.as_ref().map_err(|stat| *stat).and_then(|file| {
        let same = dir.as_ref().is_ok_and(|dir| dir.export.id() == file.export.id());
        if dir.is_ok() && !same {
            return Err(nfsstat3::NFS3ERR_XDEV);
        }
        on(&dir, |dir| {
            let linked = dir.layer().link(file.ino, dir.ino, name, context.who)?;
            Ok(LINK3resok {
                file_attributes: after(&file.export, &linked.object),
                linkdir_wcc: wcc(&dir.export, &linked.directory),
            })
        })
    });
    finish(out, result, || LINK3resfail {
        file_attributes: about(&file, current),
        linkdir_wcc: about(&dir, unchanged),
    })
}

/// CREATE, MKDIR, SYMLINK and MKNOD share the layout of their results.
fn finish_created(
    out: &mut Vec<u8>,
    dir: &Result<Object, nfsstat3>,
    make: impl FnOnce(&Object) -> Result<Created, FsError>,
) -> Result<(), Refusal> {
    let result = on(dir, |dir| {
        let created = make(dir)?;
        Ok(CREATE3resok {
            obj: new_handle(&dir.export, created.object.ino),
            obj_attributes: after(&dir.export, &created.object),
            dir_wcc: wcc(&dir.export, &created.directory),
        })
    });
    finish(out, result, || CREATE3resfail { dir_wcc: about(dir, unchanged) })
}
