//! Who has a serial port open.

use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// A process that has a device open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Process id.
    pub(crate) pid: u32,
    /// Its program's name.
    pub(crate) name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

impl Holder {
    /// Finds a process that has the character device at `path` open, as far as /proc shows it to this user.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let device = fs::metadata(path).ok().filter(|metadata| metadata.file_type().is_char_device())?.rdev();
        fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let open = fs::read_dir(process.path().join("fd")).ok()?.flatten().any(|file| {
                fs::metadata(file.path())
                    .is_ok_and(|metadata| metadata.file_type().is_char_device() && metadata.rdev() == device)
            });
            let name =
                || fs::read_to_string(process.path().join("comm")).unwrap_or_default().trim().to_owned();
            open.then(|| Self { pid, name: name() })
        })
    }
}
