//! Real files for tests, and an index beside them.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::rootfs::{Ino, Kind, Lower, Timestamp};

/// Compares everything in `dir` with what the kernel says of `path`; sockets, which no tar holds, are not there.
pub(crate) fn compare(lower: &Lower, dir: Ino, path: &Path, nanoseconds: bool) {
    let mut names: Vec<Vec<u8>> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.file_type().unwrap().is_socket())
        .map(|entry| entry.file_name().as_bytes().to_vec())
        .collect();
    names.sort_unstable();
    let listed: Vec<Vec<u8>> = lower.list(dir, 0).unwrap().map(|(_, name, _)| name.to_vec()).collect();
    assert_eq!(listed, names, "{path:?}");
    for name in names {
        let path = path.join(OsStr::from_bytes(&name));
        let is = fs::symlink_metadata(&path).unwrap();
        let ino = lower.lookup(dir, &name).unwrap();
        let meta = lower.get(ino).unwrap().meta;
        let kind = is.file_type();
        let expected = if kind.is_dir() {
            compare(lower, ino, &path, nanoseconds);
            Kind::Directory
        } else if kind.is_symlink() {
            assert_eq!(lower.target(ino).unwrap(), fs::read_link(&path).unwrap().as_os_str().as_bytes());
            Kind::Symlink
        } else if kind.is_fifo() {
            Kind::Fifo
        } else if kind.is_char_device() {
            assert_eq!(meta.device, (rustix::fs::major(is.rdev()), rustix::fs::minor(is.rdev())), "{path:?}");
            Kind::CharacterDevice
        } else {
            let mut data = vec![0xff; lower.size(ino) as usize];
            lower.read(ino, 0, &mut data).unwrap();
            assert!(data == fs::read(&path).unwrap(), "{path:?}");
            assert_eq!(u64::from(meta.nlink), is.nlink(), "{path:?}");
            Kind::Regular
        };
        let time = Timestamp {
            seconds: is.mtime().max(0) as u32,
            nanoseconds: if nanoseconds && is.mtime() >= 0 { is.mtime_nsec() as u32 } else { 0 },
        };
        assert_eq!((meta.kind, meta.mtime), (expected, time), "{path:?}");
        assert_eq!((meta.mode, meta.uid, meta.gid), (is.mode() & 0o7777, is.uid(), is.gid()), "{path:?}");
    }
}

pub(crate) fn modified(path: &Path, seconds: i64) {
    let time = match u64::try_from(seconds) {
        Ok(since) => UNIX_EPOCH + Duration::from_secs(since) + Duration::from_nanos(123_456_789),
        Err(_) => UNIX_EPOCH - Duration::from_secs(seconds.unsigned_abs()),
    };
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// What every format can hold.
pub(crate) fn tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir_all(path.join("usr/bin")).unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    fs::set_permissions(path.join("empty"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(path.join("usr/bin/true"), vec![7; 70_000]).unwrap();
    fs::set_permissions(path.join("usr/bin/true"), fs::Permissions::from_mode(0o4755)).unwrap();
    modified(&path.join("usr/bin/true"), 1_700_000_000);
    fs::hard_link(path.join("usr/bin/true"), path.join("linked")).unwrap();
    fs::write(path.join(OsStr::from_bytes(b"not-utf-8-\xff\xfe")), b"x").unwrap();
    fs::write(path.join("no-data"), b"").unwrap();
    symlink("usr/bin", path.join("bin")).unwrap();
    directory
}

/// And what only some can.
pub(crate) fn demanding_tree() -> tempfile::TempDir {
    let directory = tree();
    let path = directory.path();
    let deep = path.join("d".repeat(150)).join("e".repeat(150));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("f".repeat(255)), b"long").unwrap();
    fs::hard_link(deep.join("f".repeat(255)), deep.join("again")).unwrap();
    symlink("t".repeat(300), path.join("far")).unwrap();
    fs::write(path.join("old"), b"").unwrap();
    modified(&path.join("old"), -86_400);
    let mode = rustix::fs::Mode::from_raw_mode(0o640);
    rustix::fs::mknodat(rustix::fs::CWD, path.join("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    directory
}
