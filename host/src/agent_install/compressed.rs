//! Files that are compressed, read as if they were not.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::Path;

use super::error::InstallError;
use crate::codec::Codec;

/// A decompressed copy of the file at `path`, without a name, of at most `limit` bytes.
///
/// # Errors
/// Those of the file and of its data.
pub(super) fn decompressed(path: &Path, codec: Codec, limit: u64) -> Result<File, InstallError> {
    let failed = InstallError::io("decompress", path);
    let input = BufReader::new(File::open(path).map_err(InstallError::io("open", path))?);
    // Beside it there is more room than for temporary files, if it is permitted.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let copy = tempfile::tempfile_in(directory).or_else(|_| tempfile::tempfile());
    let mut copy = copy.map_err(InstallError::io("write into", directory))?;
    let mut plain = codec.decoder(input).map_err(&failed)?.take(limit.saturating_add(1));
    if io::copy(&mut plain, &mut copy).map_err(&failed)? > limit {
        let text = format!("it is larger than {limit} bytes when decompressed");
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
    }
    copy.rewind().map_err(failed)?;
    Ok(copy)
}
