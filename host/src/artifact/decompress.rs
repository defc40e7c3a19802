//! Decompression of whole files.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, Write};
use std::path::Path;

use super::copy::{Budget, CopyError, Progress, copy};
use super::error::Reason;
use super::zip::OneFile;
use crate::codec::Codec;

/// Bytes at the beginning of a file that tell how it is compressed.
const MAGIC: u64 = 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// `gz`.
    Gzip,
    /// `bz2`.
    Bzip2,
    /// `xz`.
    Xz,
    /// `zstd`.
    Zstd,
    /// `zip`: an archive with one file.
    Zip,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.codec() {
            Some(codec) => codec.fmt(f),
            None => f.write_str("zip"),
        }
    }
}

impl Compression {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Bzip2, Self::Gzip, Self::Xz, Self::Zip, Self::Zstd];

    /// Returns the word of a job's `compression:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Bzip2 => "bz2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }

    /// Looks at the suffix of the last name in `url`: `.gz`, `.tgz`, `.bz2`, `.xz`, `.txz`, `.zst`, `.zstd` or `.zip`, of any case.
    /// `None` for all else. What comes behind a `?` or `#` is no part of the name, if `url` has a scheme other than `file`.
    pub fn of_name(url: &str) -> Option<Self> {
        let path = match url.split_once("://") {
            Some((scheme, rest)) if !scheme.eq_ignore_ascii_case("file") => {
                rest.split(['?', '#']).next()?.split_once('/')?.1
            }
            Some((_, path)) => path,
            None => url,
        };
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let (stem, suffix) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        match suffix.to_ascii_lowercase().as_str() {
            "gz" | "tgz" => Some(Self::Gzip),
            "bz2" => Some(Self::Bzip2),
            "xz" | "txz" => Some(Self::Xz),
            "zst" | "zstd" => Some(Self::Zstd),
            "zip" => Some(Self::Zip),
            _ => None,
        }
    }

    /// Looks at the first bytes of the file at `path`; `None` if it is not compressed.
    ///
    /// # Errors
    /// Those of the file.
    pub fn detect(path: &Path) -> io::Result<Option<Self>> {
        let mut begin = Vec::new();
        File::open(path)?.take(MAGIC).read_to_end(&mut begin)?;
        Ok(Self::of(&begin))
    }

    /// Looks at the first bytes of a file; `None` if it is not compressed.
    pub fn of(begin: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.matches(begin))
    }

    fn matches(self, begin: &[u8]) -> bool {
        match self.codec() {
            Some(codec) => codec.begins(begin),
            // Before the first file, or at the end of an archive without any.
            None => begin.starts_with(b"PK\x03\x04") || begin.starts_with(b"PK\x05\x06"),
        }
    }

    /// How the file is compressed as a whole; `None` if it is an archive.
    const fn codec(self) -> Option<Codec> {
        match self {
            Self::Gzip => Some(Codec::Gzip),
            Self::Bzip2 => Some(Codec::Bzip2),
            Self::Xz => Some(Codec::Xz),
            Self::Zstd => Some(Codec::Zstd),
            Self::Zip => None,
        }
    }
}

/// Decompresses all of `input`, of `total` bytes; progress counts what comes out.
///
/// # Errors
/// [`Reason::NotCompressed`], [`Reason::Damaged`], [`Reason::NotOneFile`], [`Reason::TooLarge`] beyond `limit` bytes; what the
/// output's error means is the caller's to say.
pub(super) fn decompress(
    mut input: impl BufRead + Seek,
    output: &mut dyn Write,
    compression: Compression,
    limit: u64,
    budget: &Budget,
    progress: Progress<'_>,
) -> Result<u64, DecompressError> {
    let damaged = |source| DecompressError::Reason(Reason::Damaged { compression, source });
    let begin = input.fill_buf().map_err(damaged)?;
    if !compression.matches(begin) {
        let begins = describe(begin);
        return Err(DecompressError::Reason(Reason::NotCompressed { compression, begins }));
    }
    let mut archive;
    let mut decoder: Box<dyn Read + '_> = match compression.codec() {
        Some(codec) => codec.decoder(input).map_err(damaged)?,
        None => {
            archive = OneFile::open(input).map_err(DecompressError::Reason)?;
            Box::new(archive.file().map_err(DecompressError::Reason)?)
        }
    };
    copy(&mut decoder, output, limit, budget, None, progress).map_err(|error| match error {
        CopyError::Read { source, .. } => damaged(source),
        CopyError::Write(source) => DecompressError::Output(source),
        CopyError::TooLarge => DecompressError::Reason(Reason::TooLarge { limit }),
        CopyError::Budget(reason) => DecompressError::Reason(reason),
    })
}

/// Why decompression ended early.
#[derive(Debug)]
pub(super) enum DecompressError {
    /// The input's fault.
    Reason(Reason),
    /// The output's.
    Output(io::Error),
}

/// Shows the first bytes of a file: `3c 68 74 6d 6c 3e ("<html>")`.
fn describe(begin: &[u8]) -> String {
    let begin = begin.get(..8).unwrap_or(begin);
    if begin.is_empty() {
        return "nothing: the file is empty".to_owned();
    }
    let hex: Vec<String> = begin.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} (\"{}\")", hex.join(" "), begin.escape_ascii())
}

#[cfg(test)]
mod tests;
