//! What a virtual file is made of, and reading it block by block.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::packet::Mode;

/// How much of a file is read at once, in bytes: one system call for about 180 blocks.
const CHUNK: u64 = 256 * 1024;
/// Largest file that is turned into netascii, in bytes: it is done in memory.
const MAX_NETASCII: u64 = 16 * 1024 * 1024;

/// Where the bytes of a virtual file come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A regular file, opened anew for every transfer; it must not change while it is read.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
}

/// The opened content of a virtual file.
#[derive(Debug)]
pub(super) enum Content {
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// An open file, and the part of it that was read last.
    File { file: File, size: u64, start: u64, chunk: Vec<u8> },
}

/// Why a file cannot be served.
#[derive(Debug)]
pub(super) enum OpenError {
    /// It has more than `limit` bytes to convert.
    Netascii { limit: u64 },
    /// It cannot be opened or read.
    File(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl Content {
    /// Opens `source` for a transfer in `mode`; may wait for a disk.
    pub(super) fn open(source: Source, mode: Mode) -> Result<Self, OpenError> {
        let content = match source {
            Source::Bytes(bytes) => Self::Bytes(bytes),
            Source::File(path) => open_file(&path)?,
        };
        match mode {
            Mode::Octet => Ok(content),
            Mode::Netascii => content.into_netascii(),
        }
    }

    /// Returns the size in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }

    /// Appends the bytes of `range` to `out`; the range must be inside the file. May wait for a disk.
    pub(super) fn read(&mut self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(slice(bytes, 0, &range)?),
            Self::File { file, size, start, chunk } => {
                if range.start < *start || range.end > *start + chunk.len() as u64 {
                    let wanted = range.start..range.end.max((range.start + CHUNK).min(*size));
                    *start = range.start;
                    read_file(file, &wanted, chunk)?;
                }
                out.extend_from_slice(slice(chunk, *start, &range)?);
            }
        }
        Ok(())
    }

    fn into_netascii(mut self) -> Result<Self, OpenError> {
        if self.size() > MAX_NETASCII {
            return Err(OpenError::Netascii { limit: MAX_NETASCII });
        }
        let mut bytes = Vec::new();
        self.read(0..self.size(), &mut bytes)?;
        Ok(Self::Bytes(to_netascii(&bytes).into()))
    }
}

fn open_file(path: &std::path::Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Content::File { file, size: metadata.len(), start: 0, chunk: Vec::new() })
}

/// Fills `chunk` with the bytes of `range`; it is empty after a failure.
fn read_file(file: &File, range: &Range<u64>, chunk: &mut Vec<u8>) -> io::Result<()> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    chunk.resize(length, 0);
    file.read_exact_at(chunk, range.start).inspect_err(|_| chunk.clear())
}

fn slice<'a>(bytes: &'a [u8], start: u64, range: &Range<u64>) -> io::Result<&'a [u8]> {
    let index = |offset: u64| offset.checked_sub(start).and_then(|offset| usize::try_from(offset).ok());
    index(range.start)
        .zip(index(range.end))
        .and_then(|(from, to)| bytes.get(from..to))
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}

/// Turns LF into CR LF and CR into CR NUL (RFC 764, cited by RFC 1350 §1).
fn to_netascii(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\r\n"),
            b'\r' => out.extend_from_slice(b"\r\0"),
            other => out.push(*other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{CHUNK, Content, Mode, Source, to_netascii};

    #[test]
    fn netascii_has_its_own_line_ends() {
        assert_eq!(to_netascii(b"a\nb\rc\r\n"), b"a\r\nb\r\0c\r\0\r\n");
    }

    #[test]
    fn a_file_is_read_across_chunks_forwards_and_backwards() {
        let bytes: Vec<u8> = (0..CHUNK * 2 + 77).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let mut content = Content::open(Source::File(file.path().to_owned()), Mode::Octet).unwrap();
        assert_eq!(content.size(), bytes.len() as u64);
        for start in [0, CHUNK - 100, CHUNK - 700, CHUNK * 2 + 70] {
            let end = (start + 512).min(content.size());
            let mut out = Vec::new();
            content.read(start..end, &mut out).unwrap();
            assert_eq!(out, &bytes[start as usize..end as usize]);
        }
    }

    #[test]
    fn a_directory_is_not_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let error = Content::open(Source::File(directory.path().to_owned()), Mode::Octet).unwrap_err();
        assert!(format!("{error:?}").contains("regular file"), "{error:?}");
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[7; 1000]).unwrap();
        let mut content = Content::open(Source::File(file.path().to_owned()), Mode::Octet).unwrap();
        file.as_file().set_len(10).unwrap();
        let error = content.read(0..512, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}
