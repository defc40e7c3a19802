//! An index as a file, so that the next run need not read the archive's headers again.
//!
//! ```text
//! magic (8 bytes) │ CRC-32 of the rest, little-endian │ postcard: format, SHA-256 and length of the archive, tables
//! ```
//!
//! The file is a cache: whatever is wrong with it, it counts as not being there.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Lower, LowerAttribute, LowerEntry, LowerInode};
use crate::rootfs::RootfsError;
use crate::rootfs::sparse::Extent;

const MAGIC: &[u8; 8] = b"HRUNTIDX";
/// Magic and checksum.
const HEAD: usize = 12;
/// Raised whenever the tables, or the rules by which an archive becomes an index, change.
const FORMAT: u32 = 2;
/// Largest file that is read, in bytes.
const MAX_SIZE: u64 = 1 << 30;

/// What is saved, in this order.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    format: u32,
    sha256: &'a str,
    archive: u64,
    #[serde(borrow)]
    tables: Tables<'a>,
}

#[derive(Serialize, Deserialize)]
struct Tables<'a> {
    inodes: Vec<LowerInode>,
    entries: Vec<LowerEntry>,
    names: &'a [u8],
    extents: Vec<Extent>,
    attributes: Vec<LowerAttribute>,
    attribute_bytes: &'a [u8],
    bytes: u64,
}

impl Lower {
    /// Suffix of the file with the index of an archive, beside it.
    pub const INDEX_SUFFIX: &'static str = "rootfs-index";

    /// The index of the archive with these `sha256` digits as a file's content, for [`Lower::from_index`].
    ///
    /// `None` if it is larger than what would be read again.
    pub fn to_index(&self, sha256: &str) -> Option<Vec<u8>> {
        let tables = Tables {
            inodes: self.inodes.clone(),
            entries: self.entries.clone(),
            names: &self.names,
            extents: self.extents.clone(),
            attributes: self.attributes.clone(),
            attribute_bytes: &self.attribute_bytes,
            bytes: self.bytes,
        };
        let saved = Saved { format: FORMAT, sha256, archive: self.archive, tables };
        let mut bytes = postcard::to_extend(&saved, vec![0; HEAD]).ok()?;
        let (head, payload) = bytes.split_at_mut(HEAD);
        let (magic, checksum) = head.split_at_mut(MAGIC.len());
        magic.copy_from_slice(MAGIC);
        checksum.copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        (bytes.len() as u64 <= MAX_SIZE).then_some(bytes)
    }

    /// Opens the archive at `tar`, whose SHA-256 is known: with the index that was saved beside it, or else with a new
    /// one, which is handed to `save`.
    ///
    /// # Errors
    /// Those of [`Lower::from_tar`].
    pub fn open(tar: &Path, sha256: &str, save: impl FnOnce(&Self)) -> Result<Self, RootfsError> {
        if let Some(lower) = Self::from_index(tar, sha256) {
            return Ok(lower);
        }
        let lower = Self::from_tar(tar)?;
        save(&lower);
        Ok(lower)
    }

    /// Opens the archive at `tar`, whose SHA-256 is known, with the index that was saved beside it.
    ///
    /// `None` if there is no index, or if it is damaged, of another format, or of another archive: then
    /// [`Lower::from_tar`] makes it anew. Every number is checked against the tables and the archive's length before
    /// it is used.
    pub fn from_index(tar: &Path, sha256: &str) -> Option<Self> {
        let file = File::open(tar).ok()?;
        let archive = file.metadata().ok()?.len();
        let bytes = read(&Self::index_path(tar))?;
        let lower = decode(&bytes, file, archive, sha256)?;
        lower.is_sound().then_some(lower)
    }

    /// Where the index of the archive at `tar` is saved.
    pub fn index_path(tar: &Path) -> PathBuf {
        tar.with_extension(Self::INDEX_SUFFIX)
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).ok().filter(|_| length <= MAX_SIZE)?);
    file.take(MAX_SIZE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn decode(bytes: &[u8], file: File, archive: u64, sha256: &str) -> Option<Lower> {
    let (checksum, payload) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    if crc32fast::hash(payload) != u32::from_le_bytes(*checksum) {
        return None;
    }
    // The format first: what follows it may be of any shape.
    let (format, _) = postcard::take_from_bytes::<u32>(payload).ok()?;
    if format != FORMAT {
        return None;
    }
    let (saved, rest) = postcard::take_from_bytes::<Saved<'_>>(payload).ok()?;
    if saved.sha256 != sha256 || saved.archive != archive || !rest.is_empty() {
        return None;
    }
    let Tables { inodes, entries, names, extents, attributes, attribute_bytes, bytes } = saved.tables;
    let (names, attribute_bytes) = (names.to_vec(), attribute_bytes.to_vec());
    Some(Lower { file, archive, inodes, entries, names, extents, attributes, attribute_bytes, bytes })
}

#[cfg(test)]
mod tests;
