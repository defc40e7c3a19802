//! One 512-byte header: its fields, whatever wrote it (v7, ustar, star, GNU).
//!
//! Sources: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

use tar::{GnuExtSparseHeader, GnuHeader, GnuSparseHeader, Header};

use crate::rootfs::error::MemberProblem;

/// Bytes of a header, and the unit in which an archive is laid out.
pub(super) const BLOCK: u64 = 512;
/// Where the checksum lies in a header.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Whether `bytes` begin with a header of a tar.
pub(crate) fn begins_tar(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|block| Block::parse(block).is_some())
}

/// A header whose checksum is right.
#[derive(Clone, Debug)]
pub(super) struct Block(Header);

/// The checksum of old writers that added signed bytes up; its own field counts as blanks.
fn signed(bytes: &[u8; BLOCK as usize]) -> i128 {
    let counted =
        bytes.iter().enumerate().map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    counted.map(|byte| i128::from(byte.cast_signed())).sum()
}

impl Block {
    /// The header in `bytes`; `None` if its checksum is wrong.
    pub(super) fn parse(bytes: &[u8; BLOCK as usize]) -> Option<Self> {
        let stated = number(bytes.get(CHECKSUM)?)?;
        let mut header = Header::new_old();
        *header.as_mut_bytes() = *bytes;
        let mut right = header.clone();
        right.set_cksum();
        let is_right =
            right.cksum().is_ok_and(|unsigned| stated == unsigned.into()) || stated == signed(bytes);
        is_right.then_some(Self(header))
    }

    /// The letter of the member's type.
    pub(super) fn kind(&self) -> u8 {
        self.0.entry_type().as_byte()
    }

    /// The name: of ustar with its prefix.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0.as_old().name);
        match self.0.as_ustar().map(|ustar| text(&ustar.prefix)) {
            Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
            _ => name.to_vec(),
        }
    }

    /// The target of a link.
    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0.as_old().linkname).to_vec()
    }

    /// Bytes of the member's data, as stated.
    pub(super) fn size(&self) -> Result<u64, MemberProblem> {
        unsigned(&self.0.as_old().size).ok_or(MemberProblem::BadField("size"))
    }

    /// Permission bits with set-id and sticky.
    pub(super) fn mode(&self) -> Result<u32, MemberProblem> {
        let mode = number(&self.0.as_old().mode).ok_or(MemberProblem::BadField("mode"))?;
        Ok((mode & 0o7777) as u32)
    }

    /// Owner.
    pub(super) fn uid(&self) -> Result<u32, MemberProblem> {
        id(&self.0.as_old().uid).ok_or(MemberProblem::BadField("uid"))
    }

    /// Group.
    pub(super) fn gid(&self) -> Result<u32, MemberProblem> {
        id(&self.0.as_old().gid).ok_or(MemberProblem::BadField("gid"))
    }

    /// Seconds since 1970; what is before that, or after 2106, is clamped.
    pub(super) fn mtime(&self) -> Result<u32, MemberProblem> {
        let seconds = number(&self.0.as_old().mtime).ok_or(MemberProblem::BadField("mtime"))?;
        Ok(seconds.clamp(0, u32::MAX.into()) as u32)
    }

    /// Major and minor number of a device.
    pub(super) fn device(&self) -> Result<(u32, u32), MemberProblem> {
        let fields = match (self.0.as_ustar(), self.0.as_gnu()) {
            (Some(ustar), _) => Some((ustar.dev_major, ustar.dev_minor)),
            (_, Some(gnu)) => Some((gnu.dev_major, gnu.dev_minor)),
            _ => None,
        };
        let numbers = fields.and_then(|(major, minor)| Some((id(&major)?, id(&minor)?)));
        numbers.ok_or(MemberProblem::BadField("device number"))
    }

    /// The beginning of the map of a sparse member of the old GNU format.
    pub(super) fn gnu_sparse(&self) -> Option<GnuSparse> {
        let gnu: &GnuHeader = self.0.as_gnu()?;
        let size = unsigned(&gnu.realsize)?;
        Some(GnuSparse { size, map: map_of(&gnu.sparse)?, more: gnu.is_extended() })
    }
}

/// What a header says of a sparse member.
pub(super) struct GnuSparse {
    /// Size of the file with its holes, in bytes.
    pub(super) size: u64,
    /// Offsets and lengths of what is in the archive, in bytes.
    pub(super) map: Vec<(u64, u64)>,
    /// Whether a block with more of the map follows.
    pub(super) more: bool,
}

/// A block with more of a sparse member's map, and whether another one follows.
pub(super) fn more_of_map(bytes: &[u8; BLOCK as usize]) -> Option<(Vec<(u64, u64)>, bool)> {
    let mut block = GnuExtSparseHeader::new();
    block.as_mut_bytes().copy_from_slice(bytes);
    Some((map_of(&block.sparse)?, block.is_extended()))
}

fn map_of(fields: &[GnuSparseHeader]) -> Option<Vec<(u64, u64)>> {
    let used = fields.iter().filter(|field| !field.is_empty());
    used.map(|field| Some((unsigned(&field.offset)?, unsigned(&field.numbytes)?))).collect()
}

/// A field up to its first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn unsigned(field: &[u8]) -> Option<u64> {
    u64::try_from(number(field)?).ok()
}

fn id(field: &[u8]) -> Option<u32> {
    u32::try_from(number(field)?).ok()
}

/// A number in octal digits, ended by a space or NUL, or in base 256 if its first bit is set: then in two's complement
/// (GNU tar manual, "Extensions to the Tar Archive Format"). An empty field is zero. Fields have at most 12 bytes.
fn number(field: &[u8]) -> Option<i128> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let sign = if first & 0x40 == 0 { 0 } else { -1 };
        let first = sign << 6 | i128::from(first & 0x3f);
        return Some(rest.iter().fold(first, |value, byte| value << 8 | i128::from(*byte)));
    }
    let start = field.iter().position(|byte| *byte != b' ').unwrap_or(field.len());
    let digits = field.get(start..)?.split(|byte| matches!(byte, b' ' | 0)).next()?;
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + i128::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"77777777777"), Some(0o77_777_777_777));
        assert_eq!(number(&[0; 8]), Some(0));
        assert_eq!(number(b"0000648\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(2 << 32));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"), Some(-256));
    }
}
