//! Small text files: read whole into a buffer, or created where nobody else may have laid something.

use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::{Errno, Result, retry_on_intr};

use crate::path::PathText;
use crate::runtime;

/// Bits of a directory's mode in which everybody may make and replace names.
const WORLD_WRITABLE: u32 = 0o002;

/// Reads a whole text file into `buffer`, which must be longer than the file.
///
/// # Errors
/// `EFBIG` if it is too long, `EILSEQ` if it is not UTF-8, or the errno of the system call that failed.
pub(crate) fn read_whole<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b str> {
    let room = buffer.len();
    let bytes = read_bytes(path, buffer)?;
    if bytes.len() == room {
        return Err(Errno::FBIG);
    }
    core::str::from_utf8(bytes).map_err(|_| Errno::ILSEQ)
}

/// Reads the beginning of a text file, as much as `buffer` holds; what is not UTF-8 ends it.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn read<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b str> {
    let bytes = read_bytes(path, buffer)?;
    let text = core::str::from_utf8(bytes)
        .or_else(|error| core::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()));
    Ok(text.unwrap_or_default())
}

fn read_bytes<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let file = rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match retry_on_intr(|| rustix::io::read(&file, &mut *rest))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
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

/// Opens a file to append to it, and makes it if it is not there.
///
/// A symbolic link is followed, except in a directory where everybody may lay one.
///
/// # Errors
/// `ELOOP` for such a link, or the errno of the system call that failed.
pub(crate) fn append(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    let open = |flags| rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o644));
    match open(flags | OFlags::NOFOLLOW) {
        Err(Errno::LOOP) if !everybody_writes_beside(path)? => open(flags),
        other => other,
    }
}

/// Whether everybody may make and replace names in the directory of a path.
fn everybody_writes_beside(path: &CStr) -> Result<bool> {
    let end = path.to_bytes().iter().rposition(|byte| *byte == b'/');
    let directory = match end {
        None => PathText::join(&[b"."]),
        Some(end) => PathText::join(&[path.to_bytes().get(..=end).unwrap_or_default()]),
    };
    let directory = directory.ok_or(Errno::NAMETOOLONG)?;
    let (_, mode) = runtime::owner_and_mode(directory.as_c_str(), true)?;
    Ok(mode & WORLD_WRITABLE != 0)
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

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    use super::*;

    /// A directory with the mode of `/tmp`, a file outside it, and a link to that planted in it.
    struct Planted(PathBuf);

    impl Planted {
        fn new(name: &str, mode: u32) -> Self {
            let root = std::env::temp_dir().join(format!("text-file-{name}-{}", std::process::id()));
            std::fs::create_dir_all(root.join("open")).expect("writable");
            std::fs::set_permissions(root.join("open"), PermissionsExt::from_mode(mode))
                .expect("own directory");
            std::fs::write(root.join("victim"), "precious\n").expect("writable");
            symlink("../victim", root.join("open/file")).expect("writable");
            Self(root)
        }

        fn file(&self) -> CString {
            CString::new(self.0.join("open/file").as_os_str().as_bytes()).expect("no NUL")
        }

        fn text(&self, name: impl AsRef<Path>) -> String {
            std::fs::read_to_string(self.0.join(name)).expect("there")
        }
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_planted_link_is_replaced_by_a_file() {
        let planted = Planted::new("create", 0o1777);
        let file = create(&planted.file()).expect("the link goes");
        rustix::io::write(&file, b"new\n").expect("room");
        assert_eq!(
            (planted.text("victim").as_str(), planted.text("open/file").as_str()),
            ("precious\n", "new\n")
        );
    }

    #[test]
    fn only_links_that_not_everybody_can_plant_are_appended_to() {
        let planted = Planted::new("append-open", 0o1777);
        assert_eq!(append(&planted.file()).expect_err("planted"), Errno::LOOP);
        assert_eq!(planted.text("victim"), "precious\n");
        let own = Planted::new("append-own", 0o755);
        rustix::io::write(append(&own.file()).expect("one's own link"), b"more\n").expect("room");
        assert_eq!(own.text("victim"), "precious\nmore\n");
    }

    #[test]
    fn a_removed_link_leaves_its_target() {
        let planted = Planted::new("remove", 0o1777);
        remove(&planted.file()).expect("removable");
        assert!(!planted.0.join("open/file").exists());
        assert_eq!(planted.text("victim"), "precious\n");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read_by_half() {
        let planted = Planted::new("long", 0o755);
        let file = planted.file();
        assert_eq!(read_whole(&file, &mut [0; 9]), Err(Errno::FBIG));
        assert_eq!(read_whole(&file, &mut [0; 10]), Ok("precious\n"));
        assert_eq!(read(&file, &mut [0; 4]), Ok("prec"));
        std::fs::write(planted.0.join("victim"), b"a\xff").expect("writable");
        assert_eq!(read_whole(&file, &mut [0; 10]), Err(Errno::ILSEQ));
    }
}
