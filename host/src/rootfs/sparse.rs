//! Sparse files: which extents of a file are in the archive, the rest being holes.

use serde::{Deserialize, Serialize};

use super::error::MemberProblem;

/// An extent of a file that is in the archive. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    /// Where it lies in the file.
    pub(super) offset: u64,
    /// How long it is.
    pub(super) length: u64,
    /// Where it lies in the archive.
    pub(super) position: u64,
}

/// The extents of a file of `size` bytes, by offset and length in `map`, whose `stored` bytes lie one behind the other
/// from byte `position` of the archive.
///
/// # Errors
/// [`MemberProblem::BadSparseMap`] if extents overlap, are out of order, go past `size`, or are more or less than what
/// is stored.
pub(super) fn extents(
    map: &[(u64, u64)],
    mut position: u64,
    stored: u64,
    size: u64,
) -> Result<Vec<Extent>, MemberProblem> {
    let past = position.checked_add(stored).ok_or(MemberProblem::BadSparseMap)?;
    let mut end = 0;
    let mut extents = Vec::with_capacity(map.len());
    for &(offset, length) in map {
        if offset < end {
            return Err(MemberProblem::BadSparseMap);
        }
        end = offset.checked_add(length).ok_or(MemberProblem::BadSparseMap)?;
        if length > 0 {
            extents.push(Extent { offset, length, position });
        }
        position = position.checked_add(length).ok_or(MemberProblem::BadSparseMap)?;
    }
    if end > size || position != past {
        return Err(MemberProblem::BadSparseMap);
    }
    Ok(extents)
}
