//! A file that takes another one's place as a whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::error::InstallError;

/// Puts what `write` writes in the place of the file at `path`, whose owner and permissions it gets. Until all of it is on the
/// disk the old file stays.
///
/// # Errors
/// Those of `write`, and of the directory; the old file is as it was then.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), InstallError>,
) -> Result<(), InstallError> {
    let path = path.canonicalize().map_err(InstallError::io("find", path))?;
    let failed = InstallError::io("write", &path);
    let before = fs::metadata(&path).map_err(&failed)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, and named after the file, for the case that this PC loses power meanwhile.
    let temporary = tempfile::Builder::new().prefix(&format!(".{name}.")).tempfile_in(directory);
    let temporary = temporary.map_err(InstallError::io("write into", directory))?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
    write(&mut out)?;
    out.flush().map_err(&failed)?;
    drop(out);
    keep_owner(temporary.as_file(), &before).map_err(&failed)?;
    temporary.as_file().sync_all().map_err(&failed)?;
    temporary.persist(&path).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(&failed)
}

fn keep_owner(file: &File, before: &fs::Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        // Another user's file, which root changes, or one that its new owner may have.
        match std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    file.set_permissions(before.permissions())
}
