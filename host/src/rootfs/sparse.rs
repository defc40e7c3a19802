//! Maps of GNU sparse members: which stretches of a file are in the archive, the rest being holes.
//!
//! Source: GNU tar manual, "Old GNU Format".

use std::fs::File;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};
use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::error::MemberProblem;

const HEADER: u64 = 512;

/// A stretch of a file that is in the archive. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    /// Where it lies in the file.
    pub(super) offset: u64,
    /// How long it is.
    pub(super) length: u64,
    /// Where it lies in the archive.
    pub(super) position: u64,
}

/// Reads the map of a sparse member whose first block after the header is at `position` of `archive`.
///
/// # Errors
/// [`MemberProblem::BadSparseMap`] if the stretches overlap, go past `size`, or there are more than `limit`.
pub(super) fn extents(
    archive: &File,
    header: &Header,
    mut position: u64,
    size: u64,
    limit: usize,
) -> Result<Vec<Extent>, MemberProblem> {
    let gnu = header.as_gnu().ok_or(MemberProblem::BadSparseMap)?;
    let mut map = Vec::new();
    push(&mut map, &gnu.sparse)?;
    let mut extended = gnu.is_extended();
    while extended {
        let mut more = GnuExtSparseHeader::new();
        archive.read_exact_at(more.as_mut_bytes(), position).map_err(|_| MemberProblem::BadSparseMap)?;
        push(&mut map, &more.sparse)?;
        position += HEADER;
        extended = more.is_extended();
        if map.len() > limit {
            return Err(MemberProblem::BadSparseMap);
        }
    }
    let mut end = 0;
    for extent in &mut map {
        if extent.offset < end {
            return Err(MemberProblem::BadSparseMap);
        }
        end = extent.offset.checked_add(extent.length).ok_or(MemberProblem::BadSparseMap)?;
        extent.position = position;
        position = position.checked_add(extent.length).ok_or(MemberProblem::BadSparseMap)?;
    }
    if end > size {
        return Err(MemberProblem::BadSparseMap);
    }
    map.retain(|extent| extent.length > 0);
    Ok(map)
}

fn push(map: &mut Vec<Extent>, headers: &[GnuSparseHeader]) -> Result<(), MemberProblem> {
    for header in headers.iter().filter(|header| !header.is_empty()) {
        let offset = header.offset().map_err(|_| MemberProblem::BadSparseMap)?;
        let length = header.length().map_err(|_| MemberProblem::BadSparseMap)?;
        map.push(Extent { offset, length, position: 0 });
    }
    Ok(())
}
