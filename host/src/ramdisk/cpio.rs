//! One archive of the `newc` format: what the kernel unpacks as a RAM disk.
//!
//! Every member is a header of 110 ASCII characters, its name with a NUL, filling to four bytes, its data, and filling again.
//! The member `TRAILER!!!` ends the archive. Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

use std::io::{self, Write};
use std::ops::Range;

use crate::rootfs::Kind;

/// `newc`, and the variant of it with a sum of each file's bytes.
const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const WITH_SUM: &[u8] = MAGICS[1];
const TRAILER: &[u8] = b"TRAILER!!!";

const MAGIC: usize = 6;
const FIELDS: usize = 13;
const DIGITS: usize = 8;
const HEADER: usize = MAGIC + FIELDS * DIGITS;
/// What a member begins at, and its data: a multiple of so many bytes.
pub(super) const ALIGNMENT: usize = 4;
/// Longest name with its NUL, and longest target of a symbolic link: `PATH_MAX`, beyond which the kernel passes over a member.
pub(super) const MAX_NAME: usize = 4096;
/// Members that are looked at.
const MAX_MEMBERS: usize = 2_000_000;

/// The bits of `st_mode` that tell the type.
const TYPE: u32 = 0o170_000;

/// Why an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// It is damaged, or has no end.
    #[error("the cpio archive is damaged or cut off at byte {at}, behind {files} files")]
    Damaged {
        /// Where, from the beginning of the archive.
        at: usize,
        /// Good members before.
        files: usize,
    },
    /// It has too many members.
    #[error("the cpio archive has more than {MAX_MEMBERS} files")]
    TooMany,
}

/// What a member's header says, besides its name and the size of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Inode and device, major and minor number: what hard links to one file have in common.
    pub(super) id: [u32; 3],
    /// Type and permission bits, as in `st_mode`.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Names that the file has.
    pub(super) links: u32,
    /// Seconds since 1970.
    pub(super) mtime: u32,
    /// Major and minor number, if it is a device.
    pub(super) device: [u32; 2],
}

impl Header {
    /// The type; `None` if there is no such.
    pub(super) fn kind(&self) -> Option<Kind> {
        Some(match self.mode & TYPE {
            0o100_000 => Kind::Regular,
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Symlink,
            0o020_000 => Kind::CharacterDevice,
            0o060_000 => Kind::BlockDevice,
            0o010_000 => Kind::Fifo,
            0o140_000 => Kind::Socket,
            _ => return None,
        })
    }
}

/// The bits of `st_mode` of a type.
pub(super) const fn type_bits(kind: Kind) -> u32 {
    match kind {
        Kind::Regular => 0o100_000,
        Kind::Directory => 0o040_000,
        Kind::Symlink => 0o120_000,
        Kind::CharacterDevice => 0o020_000,
        Kind::BlockDevice => 0o060_000,
        Kind::Fifo => 0o010_000,
        Kind::Socket => 0o140_000,
    }
}

/// A member; its places are in bytes from the beginning of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) header: Header,
    /// All of it.
    pub(super) whole: Range<usize>,
    /// Its name without the NUL.
    pub(super) name: Range<usize>,
    /// Its data: content of a file, target of a link.
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
    /// Whether each file's bytes are summed up.
    pub(super) has_sums: bool,
}

/// Whether `begin` begins an archive.
pub(super) fn is_archive(begin: &[u8]) -> bool {
    MAGICS.iter().any(|magic| begin.starts_with(magic))
}

fn aligned(at: usize) -> usize {
    at.next_multiple_of(ALIGNMENT)
}

impl Archive {
    /// Reads the archive that `bytes` begin with.
    ///
    /// # Errors
    /// [`CpioError`]
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, CpioError> {
        let (mut members, mut at) = (Vec::new(), 0);
        let has_sums = bytes.starts_with(WITH_SUM);
        loop {
            let member = member(bytes, at).ok_or(CpioError::Damaged { at, files: members.len() })?;
            let next = member.whole.end;
            if bytes.get(member.name.clone()) == Some(TRAILER) {
                return Ok(Self { members, trailer: at, end: next.min(bytes.len()), has_sums });
            }
            if members.len() == MAX_MEMBERS {
                return Err(CpioError::TooMany);
            }
            members.push(member);
            at = next;
        }
    }
}

fn member(bytes: &[u8], at: usize) -> Option<Member> {
    let header = bytes.get(at..at.checked_add(HEADER)?)?;
    let (magic, digits) = header.split_at(MAGIC);
    if !MAGICS.contains(&magic) {
        return None;
    }
    let mut fields = digits.chunks_exact(DIGITS).map(number);
    let mut field = || fields.next().flatten();
    let inode = field()?;
    let [mode, uid, gid, links, mtime] = [field()?, field()?, field()?, field()?, field()?];
    let size = field()? as usize;
    let [major, minor] = [field()?, field()?];
    let device = [field()?, field()?];
    let name_size = field()? as usize;
    let name_begin = at + HEADER;
    let name_end = name_begin.checked_add(name_size)?;
    let is_terminated = bytes.get(name_begin..name_end)?.ends_with(b"\0");
    if name_size > MAX_NAME || !is_terminated {
        return None;
    }
    let begin = aligned(name_end);
    let end = begin.checked_add(size).filter(|end| *end <= bytes.len() || size == 0)?;
    Some(Member {
        header: Header { id: [inode, major, minor], mode, uid, gid, links, mtime, device },
        whole: at..aligned(end),
        name: name_begin..name_end - 1,
        data: begin..end,
    })
}

fn number(digits: &[u8]) -> Option<u32> {
    // A sign is none of the digits.
    let all_digits = digits.iter().all(u8::is_ascii_hexdigit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
}

/// Writes the members of an archive, each of which is aligned if the first one is.
pub(super) struct Writer<'o> {
    pub(super) out: &'o mut dyn Write,
    /// Whether it has the sum of each file's bytes.
    pub(super) has_sums: bool,
}

impl Writer<'_> {
    /// Writes a member: `size` bytes that `data` writes. `sum` is the sum of all these bytes; it counts only if there are sums.
    ///
    /// # Errors
    /// Those of the output and of `data`.
    pub(super) fn member(
        &mut self,
        name: &[u8],
        header: &Header,
        (size, sum): (u32, u32),
        data: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let Header { id: [inode, major, minor], mode, uid, gid, links, mtime, device } = *header;
        let name_size = name.len() as u32 + 1;
        let sum = if self.has_sums { sum } else { 0 };
        let [device_major, device_minor] = device;
        let fields = [
            inode,
            mode,
            uid,
            gid,
            links,
            mtime,
            size,
            major,
            minor,
            device_major,
            device_minor,
            name_size,
            sum,
        ];
        let mut begin = MAGICS[usize::from(self.has_sums)].to_vec();
        for field in fields {
            write!(begin, "{field:08X}")?;
        }
        begin.extend_from_slice(name);
        begin.push(0);
        begin.resize(aligned(begin.len()), 0);
        self.out.write_all(&begin)?;
        data(self.out)?;
        let filling = aligned(size as usize) - size as usize;
        self.out.write_all([0; ALIGNMENT].get(..filling).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Header =
        Header { id: [7, 0, 1], mode: 0o100_644, uid: 1, gid: 2, links: 1, mtime: 7, device: [8, 9] };

    fn archive(has_sums: bool, files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer { out: &mut bytes, has_sums };
        for (name, data) in files.iter().chain([&("TRAILER!!!", &b""[..])]) {
            let size = data.len() as u32;
            writer.member(name.as_bytes(), &FILE, (size, 3), |out| out.write_all(data)).unwrap();
        }
        bytes
    }

    #[test]
    fn what_is_written_is_read_again() {
        for has_sums in [false, true] {
            let bytes = archive(has_sums, &[("init", b"#!/bin/sh\n"), ("etc/a", b"")]);
            let read = Archive::parse(&bytes).unwrap();
            let names: Vec<&[u8]> = read.members.iter().map(|member| &bytes[member.name.clone()]).collect();
            assert_eq!(names, [&b"init"[..], b"etc/a"]);
            assert_eq!(&bytes[read.members[0].data.clone()], b"#!/bin/sh\n");
            assert!(read.members.iter().all(|member| member.header == FILE));
            assert_eq!((read.end, read.has_sums), (bytes.len(), has_sums));
        }
    }

    #[test]
    fn damaged_archives_are_errors_wherever_they_are_cut() {
        let bytes = archive(false, &[("init", b"data"), ("b", b"x")]);
        for length in 0..bytes.len() - 4 {
            assert!(Archive::parse(&bytes[..length]).is_err(), "{length}");
        }
        for index in 0..HEADER {
            for byte in [b'F', b'+', 0, 0xff] {
                let mut changed = bytes.clone();
                changed[index] = byte;
                // Whatever it is taken for, no byte outside of the archive is read.
                let _ = Archive::parse(&changed);
            }
        }
        let mut signed = bytes;
        signed[MAGIC] = b'+';
        assert_eq!(Archive::parse(&signed).unwrap_err(), CpioError::Damaged { at: 0, files: 0 });
    }
}
