use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use super::DirectoryTree;
use crate::rootfs::source::SourceError;
use crate::rootfs::testing::files::{compare, demanding_tree, tree};
use crate::rootfs::testing::{index_bytes, new_layer};
use crate::rootfs::{Credential, Ino, Lower};

fn walk(path: &Path) -> DirectoryTree {
    DirectoryTree::walk(path, &|| Ok(())).unwrap()
}

fn tar(tree: &DirectoryTree) -> (Vec<u8>, Vec<String>) {
    let mut tar = Vec::new();
    let notes = tree.write_tar(&mut tar, &|| Ok(())).unwrap();
    (tar, notes)
}

fn index(path: &Path) -> (Lower, Vec<String>) {
    let (tar, notes) = tar(&walk(path));
    let lower = index_bytes(&tar).unwrap();
    assert!(lower.is_sound());
    (lower, notes)
}

#[test]
fn everything_but_sockets_is_as_the_kernel_says() {
    let tree = demanding_tree();
    let path = tree.path();
    // The one device that everybody may make (Linux 5.8, whiteouts).
    mknodat(CWD, path.join("device"), FileType::CharacterDevice, Mode::from_raw_mode(0o620), 0).unwrap();
    let _socket = UnixListener::bind(path.join("socket")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o751)).unwrap();
    let (lower, notes) = index(path);
    compare(&lower, Ino::ROOT, path, true);
    assert_eq!(lower.get(Ino::ROOT).unwrap().meta.mode, 0o751);
    let linked = lower.lookup(Ino::ROOT, b"linked").unwrap();
    assert_eq!(lower.get(linked).unwrap().meta.nlink, 2);
    assert_eq!(notes, ["sockets are left out: socket"]);
}

#[test]
fn holes_stay_holes() {
    let directory = tempfile::tempdir().unwrap();
    let sizes = [("hole", 1 << 30), ("middle", 3 << 20), ("end", 2 << 20)];
    for (name, size) in sizes {
        let file = fs::File::create(directory.path().join(name)).unwrap();
        file.set_len(size).unwrap();
        match name {
            "middle" => file.write_all_at(&[7; 70_000], 1 << 20).unwrap(),
            "end" => file.write_all_at(&[8; 10], (2 << 20) - 10).unwrap(),
            _ => {}
        }
    }
    let tree = walk(directory.path());
    let (tar, _) = tar(&tree);
    assert!(tar.len() < 300_000, "{} bytes", tar.len());
    assert!(tree.bytes() < 300_000, "{} bytes", tree.bytes());
    let lower = index_bytes(&tar).unwrap();
    fs::remove_file(directory.path().join("hole")).unwrap();
    let hole = lower.lookup(Ino::ROOT, b"hole").unwrap();
    assert_eq!(lower.size(hole), 1 << 30);
    for name in ["middle", "end"] {
        let ino = lower.lookup(Ino::ROOT, name.as_bytes()).unwrap();
        let mut data = vec![1; lower.size(ino) as usize];
        lower.read(ino, 0, &mut data).unwrap();
        assert!(data == fs::read(directory.path().join(name)).unwrap(), "{name}");
    }
}

#[test]
fn extended_attributes_are_kept() {
    let tree = tree();
    let value = b"\x00\xffa=b\n";
    setxattr(tree.path().join("no-data"), "user.kept", value, XattrFlags::empty()).unwrap();
    setxattr(tree.path().join("empty"), "user.directory", b"", XattrFlags::empty()).unwrap();
    let layer = new_layer(index(tree.path()).0.into());
    let attributes = |name: &[u8]| {
        let ino = layer.lookup(Ino::ROOT, name, &Credential::root()).unwrap().ino;
        let all = layer.extended_attributes(ino).map(|(key, value)| (key.to_owned(), value.to_vec()));
        all.collect::<Vec<_>>()
    };
    assert_eq!(attributes(b"no-data"), [("SCHILY.xattr.user.kept".to_owned(), value.to_vec())]);
    assert_eq!(attributes(b"empty"), [("SCHILY.xattr.user.directory".to_owned(), Vec::new())]);
}

#[test]
fn every_change_changes_the_fingerprint_and_nothing_else_does() {
    let tree = tree();
    let path = tree.path();
    let mut seen = vec![walk(path).fingerprint()];
    assert_eq!(seen[0].len(), 64);
    fs::read(path.join("usr/bin/true")).unwrap();
    assert_eq!(walk(path).fingerprint(), seen[0]);
    let changes: [&dyn Fn(); 6] = [
        &|| fs::write(path.join("no-data"), b"1").unwrap(),
        &|| fs::set_permissions(path.join("no-data"), fs::Permissions::from_mode(0o600)).unwrap(),
        &|| fs::rename(path.join("no-data"), path.join("data")).unwrap(),
        &|| symlink("elsewhere", path.join("link")).unwrap(),
        &|| fs::hard_link(path.join("data"), path.join("second")).unwrap(),
        &|| setxattr(path.join("data"), "user.a", b"b", XattrFlags::empty()).unwrap(),
    ];
    for change in changes {
        change();
        let now = walk(path).fingerprint();
        assert!(!seen.contains(&now), "{seen:?}");
        seen.push(now);
    }
}

#[test]
fn a_file_that_changes_before_it_is_read_is_named() {
    let tree = tree();
    let walked = walk(tree.path());
    fs::OpenOptions::new().append(true).open(tree.path().join("no-data")).unwrap().write_all(b"new").unwrap();
    let error = walked.write_tar(&mut Vec::new(), &|| Ok(())).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SourceError::Changed { .. }), "{error:?}");
    assert!(text.ends_with("/no-data changed while it was being read"), "{text}");
}

#[test]
fn a_file_that_becomes_a_link_is_not_followed() {
    let tree = tree();
    let walked = walk(tree.path());
    fs::remove_file(tree.path().join("no-data")).unwrap();
    symlink("/etc/passwd", tree.path().join("no-data")).unwrap();
    let error = walked.write_tar(&mut Vec::new(), &|| Ok(())).unwrap_err();
    assert!(matches!(&error, SourceError::Changed { path } if path.ends_with("no-data")), "{error:?}");
}

/// Changes a directory as soon as something is written.
struct Disturbing<'p>(&'p Path);

impl std::io::Write for Disturbing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        fs::write(self.0, b"appeared")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_appears_while_others_are_read_is_noticed() {
    let tree = tree();
    let walked = walk(tree.path());
    let mut out = Disturbing(&tree.path().join("empty/new"));
    let error = walked.write_tar(&mut out, &|| Ok(())).unwrap_err();
    assert!(matches!(&error, SourceError::Changed { path } if path.ends_with("empty")), "{error:?}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent");
    let error = DirectoryTree::walk(&absent, &|| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", absent.display()));
    let stopped = DirectoryTree::walk(tree().path(), &|| Err(std::io::Error::other("time is over")));
    assert!(matches!(stopped, Err(SourceError::Write(_))), "{stopped:?}");
}
