//! One archive of the `newc` format: what the kernel unpacks as a RAM disk.
//!
//! Every member is a header of 110 ASCII characters, its name with a NUL, filling to four bytes, its data, and filling again.
//! The member `TRAILER!!!` ends the archive. Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

use std::ops::Range;

use super::error::InstallError;

/// `newc`, and the variant of it with a sum of each file's bytes.
pub(super) const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const WITH_SUM: &[u8] = MAGICS[1];
const TRAILER: &[u8] = b"TRAILER!!!";

const MAGIC: usize = 6;
const FIELDS: usize = 13;
const DIGITS: usize = 8;
const HEADER: usize = MAGIC + FIELDS * DIGITS;
/// Longest name, with its NUL.
const MAX_NAME: usize = 4096;
/// Members that are looked at.
const MAX_MEMBERS: usize = 2_000_000;

/// A member, not looked into any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name, as the archive has it.
    pub(super) name: Vec<u8>,
    /// Type and permission bits, as in `st_mode`.
    pub(super) mode: u32,
    /// Inode and device: what hard links to one file have in common.
    pub(super) id: [u32; 3],
    /// All of it, in bytes from the beginning.
    pub(super) whole: Range<usize>,
    /// Its data.
    pub(super) data: Range<usize>,
}

/// An archive's members.
#[derive(Debug)]
pub(super) struct Archive {
    /// Without the trailer.
    pub(super) members: Vec<Member>,
    /// Where the trailer begins, in bytes.
    pub(super) trailer: usize,
    /// Where it ends.
    pub(super) end: usize,
    has_sums: bool,
}

fn damaged(problem: impl Into<String>) -> InstallError {
    InstallError::Ramdisk { problem: problem.into() }
}

fn aligned(at: usize) -> usize {
    at.next_multiple_of(4)
}

impl Archive {
    /// Reads the archive that `bytes` begin with.
    ///
    /// # Errors
    /// [`InstallError::Ramdisk`] if it is damaged or has no end.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, InstallError> {
        let (mut members, mut at) = (Vec::new(), 0);
        let has_sums = bytes.starts_with(WITH_SUM);
        loop {
            let member = member(bytes, at).ok_or_else(|| {
                damaged(format!(
                    "the cpio archive is damaged or cut off at byte {at}, behind {} files",
                    members.len()
                ))
            })?;
            let next = member.whole.end;
            if member.name == TRAILER {
                return Ok(Self { members, trailer: at, end: next.min(bytes.len()), has_sums });
            }
            if members.len() == MAX_MEMBERS {
                return Err(damaged(format!("the cpio archive has more than {MAX_MEMBERS} files")));
            }
            members.push(member);
            at = next;
        }
    }

    /// An inode number that no member has, and none after it.
    pub(super) fn free_inode(&self) -> u32 {
        self.members.iter().map(|member| member.id[0]).max().unwrap_or(0).saturating_add(1)
    }

    /// Appends a member of root's to `out`, an archive of the same variant.
    pub(super) fn write(&self, out: &mut Vec<u8>, new: &New<'_>) {
        let sum = match self.has_sums {
            true => new.data.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte))),
            false => 0,
        };
        let links = if new.mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        let (size, name_size) = (new.data.len() as u32, new.name.len() as u32 + 1);
        let fields = [new.inode, new.mode, 0, 0, links, new.mtime, size, 0, 0, 0, 0, name_size, sum];
        out.extend_from_slice(MAGICS[usize::from(self.has_sums)]);
        for field in fields {
            out.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        out.extend_from_slice(new.name.as_bytes());
        out.push(0);
        out.resize(aligned(out.len()), 0);
        out.extend_from_slice(new.data);
        out.resize(aligned(out.len()), 0);
    }
}

/// A member that is to be written.
#[derive(Debug)]
pub(super) struct New<'n> {
    pub(super) name: &'n str,
    /// Type and permission bits, as in `st_mode`.
    pub(super) mode: u32,
    pub(super) inode: u32,
    /// Seconds since 1970.
    pub(super) mtime: u32,
    /// Content, or a link's target.
    pub(super) data: &'n [u8],
}

fn member(bytes: &[u8], at: usize) -> Option<Member> {
    let header = bytes.get(at..at.checked_add(HEADER)?)?;
    let (magic, digits) = header.split_at(MAGIC);
    if !MAGICS.contains(&magic) {
        return None;
    }
    let field = |index: usize| {
        let digits = digits.get(index * DIGITS..(index + 1) * DIGITS)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (size, name_size) = (field(6)? as usize, field(11)? as usize);
    let name_begin = at + HEADER;
    let name = bytes.get(name_begin..name_begin.checked_add(name_size)?)?;
    let name = name.strip_suffix(b"\0").filter(|_| name_size <= MAX_NAME)?;
    let begin = aligned(name_begin + name_size);
    let end = begin.checked_add(size).filter(|end| *end <= bytes.len() || size == 0)?;
    Some(Member {
        name: name.to_vec(),
        mode: field(1)?,
        id: [field(0)?, field(7)?, field(8)?],
        whole: at..aligned(end),
        data: begin..end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(has_sums: bool, files: &[(&str, &[u8])]) -> Vec<u8> {
        let empty = Archive { members: Vec::new(), trailer: 0, end: 0, has_sums };
        let mut bytes = Vec::new();
        for (inode, (name, data)) in (1..).zip(files) {
            empty.write(&mut bytes, &New { name, mode: 0o100_644, inode, mtime: 7, data });
        }
        empty.write(&mut bytes, &New { name: "TRAILER!!!", mode: 0, inode: 0, mtime: 0, data: b"" });
        bytes
    }

    #[test]
    fn what_is_written_is_read_again() {
        for has_sums in [false, true] {
            let bytes = archive(has_sums, &[("init", b"#!/bin/sh\n"), ("etc/a", b"")]);
            let read = Archive::parse(&bytes).unwrap();
            let names: Vec<&[u8]> = read.members.iter().map(|member| &*member.name).collect();
            assert_eq!(names, [&b"init"[..], b"etc/a"]);
            assert_eq!(&bytes[read.members[0].data.clone()], b"#!/bin/sh\n");
            assert_eq!((read.end, read.free_inode(), read.has_sums), (bytes.len(), 3, has_sums));
        }
    }

    #[test]
    fn damaged_archives_are_errors_wherever_they_are_cut() {
        let bytes = archive(false, &[("init", b"data"), ("b", b"x")]);
        for length in 0..bytes.len() - 4 {
            assert!(Archive::parse(&bytes[..length]).is_err(), "{length}");
        }
        for index in 0..HEADER {
            let mut changed = bytes.clone();
            changed[index] = b'F';
            // Whatever it is taken for, no byte outside of the archive is read.
            let _ = Archive::parse(&changed);
        }
    }
}
