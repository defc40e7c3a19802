//! Files that are compressed or not, read and written as if they were not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, Write};
use std::path::Path;

use super::error::InstallError;
use crate::artifact::{Compression, decoder};

/// Level of bzip2, gzip and xz that their programs have by default; zstd's is 3.
const LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// A decompressed copy of the file at `path`, without a name, of at most `limit` bytes.
///
/// # Errors
/// Those of the file and of its data.
pub(super) fn decompressed(path: &Path, compression: Compression, limit: u64) -> Result<File, InstallError> {
    let failed = InstallError::io("decompress", path);
    let input = BufReader::new(File::open(path).map_err(InstallError::io("open", path))?);
    // Beside it there is more room than for temporary files, if it is permitted.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let copy = tempfile::tempfile_in(directory).or_else(|_| tempfile::tempfile());
    let mut copy = copy.map_err(InstallError::io("write into", directory))?;
    copy_decompressed(input, compression, &mut copy, limit).map_err(&failed)?;
    copy.rewind().map_err(failed)?;
    Ok(copy)
}

/// Decompresses `input` into `out`, at most `limit` bytes.
///
/// # Errors
/// Those of both, `InvalidData` if it is longer.
pub(super) fn copy_decompressed(
    input: impl BufRead,
    compression: Compression,
    out: &mut dyn Write,
    limit: u64,
) -> io::Result<()> {
    let mut plain = decoder(input, compression)?.take(limit + 1);
    if io::copy(&mut plain, out)? > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is larger than {limit} bytes when decompressed"),
        ));
    }
    Ok(())
}

/// Writes what `write` writes to `out`, compressed.
///
/// # Errors
/// Those of both.
pub(super) fn compress<E: From<io::Error>>(
    out: &mut dyn Write,
    compression: Option<Compression>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    match compression {
        None => write(out)?,
        Some(Compression::Gzip) => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(LEVEL));
            write(&mut encoder)?;
            encoder.finish()?;
        }
        Some(Compression::Bzip2) => {
            let mut encoder = bzip2::write::BzEncoder::new(out, bzip2::Compression::best());
            write(&mut encoder)?;
            encoder.finish()?;
        }
        Some(Compression::Xz) => {
            // The kernel, which unpacks RAM disks, knows no other check.
            let check = liblzma::stream::Check::Crc32;
            let stream = liblzma::stream::Stream::new_easy_encoder(LEVEL, check).map_err(io::Error::from)?;
            let mut encoder = liblzma::write::XzEncoder::new_stream(out, stream);
            write(&mut encoder)?;
            encoder.finish()?;
        }
        Some(Compression::Zstd) => {
            let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
            encoder.include_checksum(true)?;
            write(&mut encoder)?;
            encoder.finish()?;
        }
    }
    Ok(())
}
