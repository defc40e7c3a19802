//! READDIR and READDIRPLUS.
//!
//! Entries are packed while the layer shows them. Cookies stay valid under change, so the verifier is always zero.

use std::ops::ControlFlow;

use nfs3_types::nfs3::{NFS3_COOKIEVERFSIZE, READDIR3resfail, cookieverf3, entry3, entryplus3, nfsstat3};
use nfs3_types::xdr_codec::Pack;

use super::context::{Context, MAX_IO, Object, about, finish, handle, new_handle};
use crate::nfs::attributes::{after, current, status};
use crate::nfs::rpc::Refusal;
use crate::nfs::xdr::Reader;
use crate::rootfs::{DirectoryEntry, ListEnd};

/// Bytes of a result without its entries: status, attributes, verifier, end of list, end of directory.
const RESULT_OVERHEAD: usize = 4 + 88 + 8 + 4 + 4;

/// The verifier of all cookies.
const VERIFIER: [u8; NFS3_COOKIEVERFSIZE] = [0; NFS3_COOKIEVERFSIZE];

/// Space for entries, and those that fitted.
struct Listing {
    packed: Vec<u8>,
    limit: usize,
    /// Bytes of names and cookies that READDIRPLUS may give; of no meaning to READDIR.
    directory_limit: usize,
    directory_bytes: usize,
}

impl Listing {
    fn new(count: u32, directory_count: u32) -> Self {
        let limit = (count.min(MAX_IO) as usize).saturating_sub(RESULT_OVERHEAD);
        Self { packed: Vec::new(), limit, directory_limit: directory_count as usize, directory_bytes: 0 }
    }

    /// Adds `entry` if there is room for it; the first may exceed the limit on names.
    fn push(&mut self, name: &[u8], entry: &impl Pack) -> ControlFlow<()> {
        let bytes = 4 + entry.packed_size();
        let directory_bytes = 20 + name.len().next_multiple_of(4);
        let too_many =
            !self.packed.is_empty() && self.directory_bytes + directory_bytes > self.directory_limit;
        if self.packed.len() + bytes > self.limit || too_many {
            return ControlFlow::Break(());
        }
        self.directory_bytes += directory_bytes;
        match true.pack(&mut self.packed).and_then(|_| entry.pack(&mut self.packed)) {
            Ok(_) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// READDIR (RFC 1813 §3.3.16).
pub(super) fn read(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let from = (arguments.u64()?, arguments.fixed()?);
    let mut listing = Listing::new(arguments.u32()?, u32::MAX);
    let end = list(context, &dir, from, |_, entry| {
        let wire = entry3 {
            fileid: u64::from(entry.attributes.ino.get()),
            name: entry.name.into(),
            cookie: u64::from(entry.cookie),
        };
        listing.push(entry.name, &wire)
    });
    finish_listing(out, &dir, end, &listing)
}

/// READDIRPLUS (RFC 1813 §3.3.17).
pub(super) fn read_plus(
    context: &Context<'_>,
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let dir = context.resolve(handle(arguments)?);
    let from = (arguments.u64()?, arguments.fixed()?);
    let directory_count = arguments.u32()?;
    let mut listing = Listing::new(arguments.u32()?, directory_count);
    let end = list(context, &dir, from, |dir, entry| {
        let wire = entryplus3 {
            fileid: u64::from(entry.attributes.ino.get()),
            name: entry.name.into(),
            cookie: u64::from(entry.cookie),
            name_attributes: after(&dir.export, &entry.attributes),
            name_handle: new_handle(&dir.export, entry.attributes.ino),
        };
        listing.push(entry.name, &wire)
    });
    finish_listing(out, &dir, end, &listing)
}

/// Shows what follows the cookie, which is worth something only with the verifier that it was given out with.
fn list(
    context: &Context<'_>,
    dir: &Result<Object, nfsstat3>,
    (cookie, verifier): (u64, [u8; NFS3_COOKIEVERFSIZE]),
    mut show: impl FnMut(&Object, DirectoryEntry<'_>) -> ControlFlow<()>,
) -> Result<ListEnd, nfsstat3> {
    let dir = dir.as_ref().map_err(|stat| *stat)?;
    let known = cookie == 0 || verifier == VERIFIER;
    let cookie = u32::try_from(cookie).ok().filter(|_| known).ok_or(nfsstat3::NFS3ERR_BAD_COOKIE)?;
    dir.layer().read_directory(dir.ino, cookie, context.who, &mut |entry| show(dir, entry)).map_err(status)
}

fn finish_listing(
    out: &mut Vec<u8>,
    dir: &Result<Object, nfsstat3>,
    end: Result<ListEnd, nfsstat3>,
    listing: &Listing,
) -> Result<(), Refusal> {
    let (dir, end) = match (dir, end) {
        (Ok(_), Ok(end)) if listing.packed.is_empty() && !end.complete => {
            return fail(out, dir, nfsstat3::NFS3ERR_TOOSMALL);
        }
        (Ok(dir), Ok(end)) => (dir, end),
        (_, end) => return fail(out, dir, end.err().unwrap_or(nfsstat3::NFS3ERR_SERVERFAULT)),
    };
    nfsstat3::NFS3_OK.pack(out)?;
    after(&dir.export, &end.directory).pack(out)?;
    cookieverf3(VERIFIER).pack(out)?;
    out.extend_from_slice(&listing.packed);
    false.pack(out)?;
    end.complete.pack(out)?;
    Ok(())
}

/// READDIR and READDIRPLUS share the layout of their failures.
fn fail(out: &mut Vec<u8>, dir: &Result<Object, nfsstat3>, stat: nfsstat3) -> Result<(), Refusal> {
    let failure = || READDIR3resfail { dir_attributes: about(dir, current) };
    finish(out, Err::<bool, _>(stat), failure)
}
