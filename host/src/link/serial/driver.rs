//! What drives a serial port, and what a file is that is none.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::SerialError;

/// Major numbers of pseudo-terminals (Linux, Documentation/admin-guide/devices.txt).
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;

/// The name of what drives the port at `path`, which is not opened for that.
///
/// # Errors
/// [`SerialError::Absent`], [`SerialError::NoPort`], or [`SerialError::Unseen`] if the system does not say.
pub(crate) fn driver_of(path: &Path) -> Result<String, SerialError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SerialError::Absent(path.to_owned()),
        _ => SerialError::Unseen(path.to_owned(), error),
    })?;
    driver(&metadata).map_err(|what| SerialError::NoPort { path: path.to_owned(), what })
}

fn driver(metadata: &Metadata) -> Result<String, &'static str> {
    let file_type = metadata.file_type();
    if file_type.is_dir() {
        return Err("a directory");
    }
    if file_type.is_block_device() {
        return Err("a disk");
    }
    if file_type.is_socket() {
        return Err("a socket");
    }
    if file_type.is_fifo() {
        return Err("a FIFO");
    }
    if !file_type.is_char_device() {
        return Err("a file");
    }
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    if PSEUDO_TERMINALS.contains(&major) {
        return Ok("a pseudo-terminal".to_owned());
    }
    let device = PathBuf::from(format!("/sys/dev/char/{major}:{minor}"));
    let name_at = |path: &Path| {
        let target = fs::canonicalize(path).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    };
    match name_at(&device.join("subsystem")) {
        Some(subsystem) if subsystem != "tty" => Err("another kind of device"),
        _ => Ok(name_at(&device.join("device/driver")).unwrap_or_else(|| "driver unknown".to_owned())),
    }
}
