//! How a RAM disk is packed: archives one after the other, the last of which is the root filesystem.
//!
//! ```text
//! image    = (filling | archive | packed)*      filling: zeros
//! packed   = gzip, bzip2, xz, zstd or LZ4 of (filling | archive)*
//! ```
//!
//! The kernel unpacks all of them, each over what is there already. Source: Linux, init/initramfs.c, `unpack_to_rootfs`;
//! Documentation/driver-api/early-userspace/buffer-format.rst.

use std::io::{self, Write};

use super::cpio::{ALIGNMENT, Archive, is_archive};
use super::error::RamdiskError;
use super::lz4::{self, Lz4Error};
use super::uimage;
use crate::codec::Codec;

/// Most bytes of a RAM disk, packed or not: more than any board has memory for.
pub(super) const MAX_RAMDISK: u64 = 1 << 30;

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Stream(Codec),
    Lz4,
}

impl Packing {
    /// Writes what `write` writes to `out`, packed.
    ///
    /// # Errors
    /// Those of both.
    pub(super) fn pack(
        self,
        out: &mut dyn Write,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::Plain => write(out),
            Self::Stream(codec) => codec.compress(out, write),
            Self::Lz4 => {
                let mut encoder = lz4::Encoder::new(out)?;
                write(&mut encoder)?;
                encoder.finish()
            }
        }
    }
}

/// The last archive of an image.
#[derive(Debug)]
pub(super) struct Last {
    /// What is before it in the image, as it is there.
    pub(super) before: Vec<u8>,
    pub(super) packing: Packing,
    /// What is packed with it, and before it; a multiple of four bytes long.
    pub(super) packed_before: Vec<u8>,
    /// The archive and what fills it up.
    pub(super) bytes: Vec<u8>,
    pub(super) archive: Archive,
}

/// Whether `begin` may begin a RAM disk that is not packed as other files are, too.
pub(crate) fn begins_ramdisk(begin: &[u8]) -> bool {
    uimage::is_image(begin) || begin.starts_with(&lz4::MAGIC) || is_archive(begin)
}

/// What is wrong with a file that begins with `begin`, if it is packed in a way, or an archive of a kind, that is known and not
/// supported.
pub(crate) fn unsupported(begin: &[u8]) -> Option<RamdiskError> {
    let known: [(&[u8], &str, &str); 6] = [
        (
            b"\x04\x22\x4d\x18",
            "packed with LZ4 in the format that the kernel does not unpack",
            "pack a RAM disk with `lz4 -l`, as the kernel wants it, or with gzip, bzip2, xz or zstd, and a tar with one of these",
        ),
        (
            b"\x89LZO",
            "packed with LZO",
            "unpack it with `lzop -d`, and pack it with gzip, bzip2, xz or zstd, or a RAM disk with `lz4 -l`",
        ),
        (
            b"\x5d\0\0",
            "packed with LZMA",
            "unpack it with `xz -d --format=lzma`, and pack it with gzip, bzip2, xz or zstd, or a RAM disk with `lz4 -l`",
        ),
        (b"070707", OLD_CPIO, NEW_CPIO),
        (b"\xc7\x71", OLD_CPIO, NEW_CPIO),
        (b"\x71\xc7", OLD_CPIO, NEW_CPIO),
    ];
    let (_, found, help) = known.into_iter().find(|(magic, ..)| begin.starts_with(magic))?;
    Some(RamdiskError::Unsupported { found, help })
}

const OLD_CPIO: &str = "a cpio archive of an old format";
const NEW_CPIO: &str = "make it in the format that the kernel knows: `cpio -o -H newc`";

/// Takes the last archive out of `image`, of which no more than [`MAX_RAMDISK`] bytes are unpacked in all.
///
/// # Errors
/// [`RamdiskError`] for what is no image, or is damaged.
pub(super) fn last_archive(mut image: Vec<u8>) -> Result<Last, RamdiskError> {
    let (mut begin, mut left) = (0, MAX_RAMDISK);
    loop {
        begin += filling(image.get(begin..).unwrap_or_default());
        let rest = image.get(begin..).unwrap_or_default();
        let Some(Unpacked { packing, mut bytes, used }) = unpack(rest, left, begin)? else {
            if !begin.is_multiple_of(ALIGNMENT) && is_archive(rest) {
                return Err(RamdiskError::Unaligned { at: begin });
            }
            let plain = last_plain(rest)?;
            if plain.end == rest.len() {
                let bytes = split_off(&mut image, begin + plain.begin);
                let (packing, packed_before) = (Packing::Plain, Vec::new());
                return Ok(Last { before: image, packing, packed_before, bytes, archive: plain.archive });
            }
            begin += plain.end;
            continue;
        };
        let end = begin + used;
        if filling(image.get(end..).unwrap_or_default()) < image.len() - end {
            begin = end;
            left = left.saturating_sub(bytes.len() as u64);
            continue;
        }
        image.truncate(begin);
        image.shrink_to_fit();
        let plain = last_plain(&bytes)?;
        if plain.end < bytes.len() {
            return Err(not_an_archive(bytes.get(plain.end..).unwrap_or_default()));
        }
        let archive = split_off(&mut bytes, plain.begin);
        return Ok(Last {
            before: image,
            packing,
            packed_before: bytes,
            bytes: archive,
            archive: plain.archive,
        });
    }
}

/// Something unpacked.
struct Unpacked {
    packing: Packing,
    bytes: Vec<u8>,
    /// Bytes that it took when it was packed.
    used: usize,
}

/// Unpacks what `packed` begins with, if it is packed; it begins at byte `begin` of the image, for errors.
fn unpack(packed: &[u8], limit: u64, begin: usize) -> Result<Option<Unpacked>, RamdiskError> {
    if let Some(codec) = Codec::of(packed) {
        let mut rest = packed;
        let bytes = codec.decompress_first(&mut rest, limit).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => RamdiskError::TooLarge { limit: MAX_RAMDISK },
            _ => RamdiskError::Packed { codec, source },
        })?;
        let used = packed.len() - rest.len();
        return Ok(Some(Unpacked { packing: Packing::Stream(codec), bytes, used }));
    }
    if !packed.starts_with(&lz4::MAGIC) {
        return Ok(None);
    }
    // All files that come one after the other are one for the kernel, too.
    let bytes = lz4::unpack(packed, limit).map_err(|error| match error {
        Lz4Error::Damaged { at } => RamdiskError::Lz4 { at: begin + at },
        Lz4Error::TooLarge => RamdiskError::TooLarge { limit: MAX_RAMDISK },
    })?;
    Ok(Some(Unpacked { packing: Packing::Lz4, bytes, used: packed.len() }))
}

/// The last of some archives that are not packed.
struct Plain {
    /// Where it begins, in bytes.
    begin: usize,
    archive: Archive,
    /// Where it ends, with what fills it up.
    end: usize,
}

/// Finds the last one of the archives that `bytes` begin with.
fn last_plain(bytes: &[u8]) -> Result<Plain, RamdiskError> {
    let mut begin = filling(bytes);
    loop {
        let rest = bytes.get(begin..).unwrap_or_default();
        if !is_archive(rest) {
            return Err(not_an_archive(rest));
        }
        if !begin.is_multiple_of(ALIGNMENT) {
            return Err(RamdiskError::Unaligned { at: begin });
        }
        let archive = Archive::parse(rest)?;
        let end = begin + archive.end;
        let end = end + filling(bytes.get(end..).unwrap_or_default());
        if !bytes.get(end..).is_some_and(is_archive) {
            return Ok(Plain { begin, archive, end });
        }
        begin = end;
    }
}

/// How many zeros `bytes` begin with.
fn filling(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

fn not_an_archive(bytes: &[u8]) -> RamdiskError {
    unsupported(bytes).unwrap_or_else(|| {
        let begin = bytes.get(..8).unwrap_or(bytes).escape_ascii().to_string();
        RamdiskError::NotAnArchive { begin }
    })
}

/// Splits off what begins at `at`, without a copy if that is all.
fn split_off(bytes: &mut Vec<u8>, at: usize) -> Vec<u8> {
    if at == 0 { std::mem::take(bytes) } else { bytes.split_off(at) }
}
