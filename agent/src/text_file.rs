//! Small text files: read whole into a buffer, or created where nobody else may have laid something.

use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::{Errno, Result, retry_on_intr};

/// Reads the beginning of a text file, as much as `buffer` holds; what is not UTF-8 ends it.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn read<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b str> {
    let file = rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match retry_on_intr(|| rustix::io::read(&file, &mut *rest))? {
            0 => break,
            count => filled += count,
        }
    }
    let bytes = buffer.get(..filled).unwrap_or_default();
    let text = core::str::from_utf8(bytes)
        .or_else(|error| core::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()));
    Ok(text.unwrap_or_default())
}

/// Creates a file afresh, following no link: whatever had the name is removed first.
///
/// # Errors
/// The errno of the system call that failed; `EEXIST` if somebody else was quicker.
pub(crate) fn create(path: &CStr) -> Result<OwnedFd> {
    remove(path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o644))
}

/// Removes a file; one that does not exist is fine.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn remove(path: &CStr) -> Result<()> {
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
