//! Maps of sparse members, in all four formats of GNU tar.
//!
//! Source: GNU tar manual, "Storing Sparse Files". Format 0.0 and 0.1 have the map in pax records, 1.0 before the data,
//! the old GNU format in the header and blocks behind it.

use super::header::{BLOCK, more_of_map};
use super::pax::decimal;
use super::reader::{RawMember, ReadAt, Reader};
use crate::rootfs::error::MemberProblem;
use crate::rootfs::sparse::{Extent, extents};

/// Extents that one sparse member may have.
const MAX_MEMBER_EXTENTS: usize = 1_000_000;
/// Longest number in the map of format 1.0, in digits.
const MAX_DIGITS: usize = 20;
const BAD: MemberProblem = MemberProblem::BadSparseMap;

/// A sparse file: its extents, and its size with the holes.
pub(super) type Sparse = (Vec<Extent>, u64);

fn check_count(count: usize) -> Result<(), MemberProblem> {
    let limit = MAX_MEMBER_EXTENTS as u64;
    if count > MAX_MEMBER_EXTENTS {
        return Err(MemberProblem::TooMany { what: "extents of data between holes", limit });
    }
    Ok(())
}

/// The map of a member of the old GNU format, whose remaining blocks lie where its data is said to begin; `reader` is
/// led to the member behind.
pub(super) fn gnu<A: ReadAt>(
    archive: &A,
    reader: &mut Reader<'_, A>,
    member: &mut RawMember,
) -> Result<Sparse, MemberProblem> {
    let mut sparse = member.header.gnu_sparse().ok_or(BAD)?;
    while sparse.more {
        let mut bytes = [0; BLOCK as usize];
        archive.read_exact_at(&mut bytes, member.position).map_err(|_| BAD)?;
        let (map, more) = more_of_map(&bytes).ok_or(BAD)?;
        sparse.map.extend(map);
        sparse.more = more;
        member.position += BLOCK;
        check_count(sparse.map.len())?;
    }
    reader.skip_to_data(member.position, member.size).ok_or(BAD)?;
    Ok((extents(&sparse.map, member.position, member.size, sparse.size)?, sparse.size))
}

/// The map of a member of pax format 0.0, 0.1 or 1.0, of `size` bytes with its holes.
pub(super) fn pax<A: ReadAt>(archive: &A, member: &RawMember, size: u64) -> Result<Sparse, MemberProblem> {
    let sparse = &member.extended.sparse;
    if !sparse.in_data {
        check_count(sparse.map.len())?;
        return Ok((extents(&sparse.map, member.position, member.size, size)?, size));
    }
    let mut numbers = Numbers { archive, position: member.position, left: member.size, block: None };
    let count = usize::try_from(numbers.next()?).unwrap_or(usize::MAX);
    check_count(count)?;
    let map: Result<Vec<_>, MemberProblem> =
        (0..count).map(|_| Ok((numbers.next()?, numbers.next()?))).collect();
    Ok((extents(&map?, numbers.position, numbers.left, size)?, size))
}

/// Decimal numbers, each ended by a newline, in whole blocks.
struct Numbers<'a, A: ReadAt> {
    archive: &'a A,
    /// Where the next block is.
    position: u64,
    /// Bytes of the member behind the blocks that were read.
    left: u64,
    block: Option<([u8; BLOCK as usize], usize)>,
}

impl<A: ReadAt> Numbers<'_, A> {
    fn byte(&mut self) -> Result<u8, MemberProblem> {
        if self.block.is_none_or(|(bytes, at)| at == bytes.len()) {
            let mut bytes = [0; BLOCK as usize];
            self.left = self.left.checked_sub(BLOCK).ok_or(BAD)?;
            self.archive.read_exact_at(&mut bytes, self.position).map_err(|_| BAD)?;
            self.position += BLOCK;
            self.block = Some((bytes, 0));
        }
        let (bytes, at) = self.block.as_mut().ok_or(BAD)?;
        let byte = bytes.get(*at).copied().ok_or(BAD)?;
        *at += 1;
        Ok(byte)
    }

    fn next(&mut self) -> Result<u64, MemberProblem> {
        let mut digits = Vec::with_capacity(MAX_DIGITS);
        loop {
            match self.byte()? {
                b'\n' => return decimal(&digits).ok_or(BAD),
                digit if digits.len() < MAX_DIGITS => digits.push(digit),
                _ => return Err(BAD),
            }
        }
    }
}
