//! Data that is compressed as one stream: gzip, bzip2, xz, zstd.
//!
//! What is in a file that is compressed so is of no interest here; archives that compress their members (zip) are
//! [`Compression`](crate::artifact::Compression)'s.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

/// Most memory that an xz file may ask for, in bytes; the highest preset needs 65 MiB.
const XZ_MEMORY: u64 = 256 * 1024 * 1024;

/// Level of gzip and xz that their programs have by default; zstd's is 3.
const LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 1952.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// RFC 8878.
    Zstd,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bzip2, Self::Gzip, Self::Xz, Self::Zstd];

    /// Looks at the first bytes of a stream, ten or more; `None` if it is compressed with none of them.
    pub fn of(begin: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.begins(begin))
    }

    /// Whether a stream that begins with `begin` may be compressed so.
    pub(crate) fn begins(self, begin: &[u8]) -> bool {
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

    /// What is read from `input` once decompressed: all streams in it, one after the other.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn decoder<'i>(self, input: impl BufRead + 'i) -> io::Result<Box<dyn Read + 'i>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Self::Xz => Box::new(xz(input, liblzma::stream::CONCATENATED)?),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(input)?),
        })
    }

    /// Decompresses the first stream that `input` has, at most `limit` bytes of it; `input` is what comes behind it then.
    ///
    /// # Errors
    /// Those of the data; `FileTooLarge` if there is more.
    pub(crate) fn decompress_first(self, input: &mut &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let decoder: Box<dyn Read + '_> = match self {
            Self::Gzip => Box::new(flate2::bufread::GzDecoder::new(input)),
            Self::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(input)),
            Self::Xz => Box::new(xz(input, 0)?),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(input)?.single_frame()),
        };
        let mut plain = Vec::new();
        decoder.take(limit.saturating_add(1)).read_to_end(&mut plain)?;
        if plain.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(plain)
    }

    /// Writes what `write` writes to `out`, compressed.
    ///
    /// # Errors
    /// Those of both.
    pub(crate) fn compress<E: From<io::Error>>(
        self,
        out: &mut dyn Write,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(LEVEL));
                write(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(out, bzip2::Compression::best());
                write(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Xz => {
                // The kernel, which unpacks RAM disks, knows no other check.
                let check = liblzma::stream::Check::Crc32;
                let stream =
                    liblzma::stream::Stream::new_easy_encoder(LEVEL, check).map_err(io::Error::from)?;
                let mut encoder = liblzma::write::XzEncoder::new_stream(out, stream);
                write(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Zstd => {
                let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                write(&mut encoder)?;
                encoder.finish()?;
            }
        }
        Ok(())
    }
}

fn xz<R: BufRead>(input: R, flags: u32) -> io::Result<liblzma::bufread::XzDecoder<R>> {
    let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags)?;
    Ok(liblzma::bufread::XzDecoder::new_stream(input, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(codec: Codec, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        codec.compress(&mut out, |out| out.write_all(plain)).unwrap();
        out
    }

    #[test]
    fn only_the_first_stream_is_taken_and_the_rest_is_where_it_ends() {
        for codec in Codec::ALL {
            let first = compressed(codec, b"first");
            assert_eq!(Codec::of(&first), Some(codec));
            let both = [first, compressed(codec, b"second"), vec![0; 7]].concat();
            let mut rest = &*both;
            assert_eq!(codec.decompress_first(&mut rest, 100).unwrap(), b"first", "{codec}");
            assert_eq!(codec.decompress_first(&mut rest, 100).unwrap(), b"second", "{codec}");
            assert_eq!(rest, [0; 7], "{codec}");
        }
    }

    #[test]
    fn a_first_stream_that_is_cut_off_or_too_long_is_an_error() {
        for codec in Codec::ALL {
            let whole = compressed(codec, &[7; 1000]);
            let error = codec.decompress_first(&mut &*whole, 999).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{codec}");
            for length in 0..whole.len() {
                assert!(codec.decompress_first(&mut &whole[..length], 1000).is_err(), "{codec}, {length}");
            }
        }
    }
}
