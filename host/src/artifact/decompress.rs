//! Decompression of whole files.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use super::copy::{Budget, CopyError, Progress, copy};
use super::error::Reason;

/// Most memory that an xz file may ask for, in bytes; the highest preset needs 65 MiB.
const XZ_MEMORY: u64 = 256 * 1024 * 1024;

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
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

impl Compression {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Bzip2, Self::Gzip, Self::Xz, Self::Zstd];

    /// Returns the word of a job's `compression:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Bzip2 => "bz2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
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
        match self {
            Self::Gzip => begin.starts_with(&[0x1f, 0x8b]),
            // What follows the level begins a block, or ends an empty file.
            Self::Bzip2 => {
                begin.starts_with(b"BZh")
                    && matches!(
                        begin.get(4..10),
                        Some(b"\x31\x41\x59\x26\x53\x59" | b"\x17\x72\x45\x38\x50\x90")
                    )
            }
            Self::Xz => begin.starts_with(b"\xfd7zXZ\0"),
            // A frame of data, or one to skip (RFC 8878 §3.1).
            Self::Zstd => {
                begin.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
                    || (begin.first().is_some_and(|byte| byte & 0xf0 == 0x50)
                        && begin.get(1..4) == Some(&[0x2a, 0x4d, 0x18]))
            }
        }
    }
}

/// Decompresses all of `input`, of `total` bytes; progress counts what comes out.
///
/// # Errors
/// [`Reason::NotCompressed`], [`Reason::Damaged`], [`Reason::TooLarge`] beyond `limit` bytes; what the output's
/// error means is the caller's to say.
pub(super) fn decompress(
    mut input: impl BufRead,
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
    let mut decoder = decoder(input, compression).map_err(damaged)?;
    copy(&mut decoder, output, limit, budget, None, progress).map_err(|error| match error {
        CopyError::Read { source, .. } => damaged(source),
        CopyError::Write(source) => DecompressError::Output(source),
        CopyError::TooLarge => DecompressError::Reason(Reason::TooLarge { limit }),
        CopyError::Budget(reason) => DecompressError::Reason(reason),
    })
}

/// What is read from `input` once decompressed, all members of it.
///
/// # Errors
/// When there is no memory for it.
pub(crate) fn decoder<'i>(
    input: impl BufRead + 'i,
    compression: Compression,
) -> io::Result<Box<dyn Read + 'i>> {
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        Compression::Xz => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
        }
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(input)?),
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
mod tests {
    use std::io::Write as _;
    use std::time::{Duration, Instant};

    use super::{Budget, Compression, DecompressError, decompress};

    const ALL: [Compression; 4] = [Compression::Gzip, Compression::Bzip2, Compression::Xz, Compression::Zstd];

    fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        }
    }

    fn run(compression: Compression, input: &[u8], limit: u64) -> Result<Vec<u8>, String> {
        let mut output = Vec::new();
        let budget = Budget::new(Instant::now() + Duration::from_secs(600));
        match decompress(input, &mut output, compression, limit, &budget, &|_, _| ()) {
            Ok(_) => Ok(output),
            Err(DecompressError::Reason(reason)) => Err(reason.to_string()),
            Err(DecompressError::Output(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn files_of_several_members_are_undone_whole() {
        for compression in ALL {
            let both = [compress(compression, b"first "), compress(compression, b"second")].concat();
            assert_eq!(run(compression, &both, 100).unwrap(), b"first second", "{compression}");
        }
    }

    #[test]
    fn damaged_and_cut_files_are_errors() {
        let noise: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for compression in ALL {
            let whole = compress(compression, &noise);
            let cut = &whole[..whole.len() / 2];
            assert_eq!(run(compression, cut, 10_000).unwrap_err(), format!("damaged {compression} file"));
            let mut damaged = whole.clone();
            for byte in &mut damaged[whole.len() / 3..whole.len() / 2] {
                *byte ^= 0x55;
            }
            assert_ne!(run(compression, &damaged, 10_000).ok(), Some(noise.clone()), "{compression}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for compression in ALL {
            let bomb = compress(compression, &vec![0; 1 << 20]);
            let error = run(compression, &bomb, 1000).unwrap_err();
            assert_eq!(error, "it is larger than the limit of 1000 bytes");
        }
    }

    #[test]
    fn what_is_not_compressed_says_how_it_begins() {
        let error = run(Compression::Gzip, b"<html>", 100).unwrap_err();
        assert_eq!(error, "not a valid gzip file: begins with 3c 68 74 6d 6c 3e (\"<html>\")");
        let error = run(Compression::Xz, b"", 100).unwrap_err();
        assert_eq!(error, "not a valid xz file: begins with nothing: the file is empty");
    }
}
