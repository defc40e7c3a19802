//! What the formats can say, against archives of GNU tar itself and of our own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use tar::{EntryType, Header};

use super::super::header::BLOCK;
use super::{contents, find, problem};
use crate::rootfs::error::MemberProblem;
use crate::rootfs::testing::files::{compare, demanding_tree, tree};
use crate::rootfs::testing::{TarBuilder, index_bytes};
use crate::rootfs::{Ino, Lower, Timestamp};

/// Archives everything in `tree` with GNU tar and indexes it.
fn gnu_tar(tree: &Path, options: &[&str]) -> (Lower, u64) {
    let archive = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new("tar")
        .args(["--create", "--numeric-owner", "--file"])
        .arg(archive.path())
        .args(options)
        .arg("--directory")
        .arg(tree)
        .arg(".")
        .output()
        .unwrap();
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    let lower = Lower::from_tar(archive.path()).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    assert!(lower.is_sound(), "{options:?}");
    (lower, archive.as_file().metadata().unwrap().len())
}

#[test]
fn every_format_of_gnu_tar_is_understood() {
    let tree = tree();
    for format in ["v7", "ustar", "oldgnu", "gnu", "pax"] {
        let (lower, _) = gnu_tar(tree.path(), &[&format!("--format={format}")]);
        compare(&lower, Ino::ROOT, tree.path(), format == "pax");
    }
}

#[test]
fn long_names_old_times_and_fifos_of_gnu_tar_are_understood() {
    let tree = demanding_tree();
    // No format has a type for sockets: GNU tar says "socket ignored", and goes on.
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    for format in ["oldgnu", "gnu", "pax"] {
        let (lower, _) = gnu_tar(tree.path(), &[&format!("--format={format}")]);
        compare(&lower, Ino::ROOT, tree.path(), format == "pax");
    }
}

#[test]
fn a_name_of_ustar_with_a_prefix_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("d".repeat(90)).join("e".repeat(60));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("f".repeat(90)), b"data").unwrap();
    let (lower, _) = gnu_tar(directory.path(), &["--format=ustar"]);
    compare(&lower, Ino::ROOT, directory.path(), false);
}

#[test]
fn large_owners_are_understood_in_base_256_and_in_pax_records() {
    let tree = tree();
    for format in ["gnu", "pax"] {
        let options = [&format!("--format={format}"), "--owner=:4000000001", "--group=:4000000002"];
        let (lower, _) = gnu_tar(tree.path(), &options);
        let meta = lower.get(find(&lower, "usr/bin/true")).unwrap().meta;
        assert_eq!((meta.uid, meta.gid), (4_000_000_001, 4_000_000_002), "{format}");
    }
}

#[test]
fn sparse_files_of_gnu_tar_are_whole_in_every_format() {
    let directory = tempfile::tempdir().unwrap();
    let file = File::create(directory.path().join("many-holes")).unwrap();
    for extent in 0..60_u64 {
        file.write_all_at(&[extent as u8 + 1; 4096], extent * (64 << 10) + 8192).unwrap();
    }
    file.set_len((4 << 20) + 100).unwrap();
    let file = File::create(directory.path().join(format!("ends-in-data-{}", "n".repeat(120)))).unwrap();
    file.write_all_at(b"end", 1 << 20).unwrap();
    File::create(directory.path().join("hole")).unwrap().set_len(1 << 20).unwrap();
    fs::write(directory.path().join("z-after"), b"after").unwrap();
    let formats = [
        &["--format=gnu"][..],
        &["--format=oldgnu"],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ];
    for format in formats {
        let options = [format, &["--sparse", "--hole-detection=raw"]].concat();
        let (lower, length) = gnu_tar(directory.path(), &options);
        assert!(length < 1 << 20, "{format:?}: the holes are in the archive");
        compare(&lower, Ino::ROOT, directory.path(), format[0] == "--format=pax");
    }
}

#[test]
fn global_records_hold_until_a_member_has_its_own() {
    let records = |kind, records: &[u8]| {
        let mut header = TarBuilder::header(kind, 0o644);
        header.set_size(records.len() as u64);
        (header, records.to_vec())
    };
    let (global, global_records) = records(EntryType::XGlobalHeader, b"13 uid=12345\n13 comment=x\n");
    let (own, own_records) = records(EntryType::XHeader, b"10 uid=77\n");
    let (back, back_records) = records(EntryType::XHeader, b"7 uid=\n");
    let lower = TarBuilder::new()
        .raw(b"pax_global_header", global, &global_records)
        .file("of-all", b"")
        .raw(b"x", own, &own_records)
        .file("its-own", b"")
        .raw(b"x", back, &back_records)
        .file_as("of-header", 0o644, 5, b"")
        .index()
        .unwrap();
    let uid = |name| lower.get(find(&lower, name)).unwrap().meta.uid;
    assert_eq!([uid("of-all"), uid("its-own"), uid("of-header")], [12_345, 77, 5]);
}

#[test]
fn all_times_and_attributes_of_pax_are_kept() {
    let lower = TarBuilder::new()
        .pax(&[
            ("atime", b"20.5"),
            ("ctime", b"30"),
            ("mtime", b"10.000000001"),
            ("SCHILY.xattr.security.capability", b"\x01\n\0\xff"),
            ("SCHILY.acl.access", b"user::rwx\n"),
            ("LIBARCHIVE.creationtime", b"5"),
        ])
        .file("a", b"")
        .file("b", b"")
        .index()
        .unwrap();
    let meta = lower.get(find(&lower, "a")).unwrap().meta;
    let time = |seconds, nanoseconds| Timestamp { seconds, nanoseconds };
    assert_eq!((meta.mtime, meta.atime, meta.ctime), (time(10, 1), time(20, 500_000_000), time(30, 0)));
    let kept: Vec<_> = lower.extended_attributes(find(&lower, "a")).collect();
    let expected: [(&str, &[u8]); 2] =
        [("SCHILY.xattr.security.capability", b"\x01\n\0\xff"), ("SCHILY.acl.access", b"user::rwx\n")];
    assert_eq!(kept, expected);
    assert_eq!(lower.extended_attributes(find(&lower, "b")).count(), 0);
}

#[test]
fn a_size_in_pax_records_counts() {
    let mut header = TarBuilder::header(EntryType::Regular, 0o644);
    header.set_size(0);
    let mut bytes = TarBuilder::new().pax(&[("size", b"700")]).raw(b"large", header, b"").bytes();
    bytes.truncate(bytes.len() - 2 * BLOCK as usize);
    bytes.extend([b'x'; 2 * BLOCK as usize]);
    bytes.extend(TarBuilder::new().file("after", b"after").bytes());
    let lower = index_bytes(&bytes).unwrap();
    assert_eq!(contents(&lower, "large"), [b'x'; 700]);
    assert_eq!(contents(&lower, "after"), b"after");
}

#[test]
fn times_before_1970_in_the_header_are_clamped() {
    let mut header = TarBuilder::header(EntryType::Regular, 0o644);
    header.as_old_mut().mtime = [0xff; 12];
    let lower = TarBuilder::new().raw(b"a", header, b"").index().unwrap();
    assert_eq!(lower.get(find(&lower, "a")).unwrap().meta.mtime, Timestamp::default());
}

#[test]
fn a_device_needs_its_numbers() {
    let mut header = Header::new_old();
    header.set_entry_type(EntryType::Block);
    header.set_mode(0o600);
    header.set_size(0);
    let refused = problem(TarBuilder::new().raw(b"sda", header, b""));
    assert_eq!(refused, ("sda".into(), MemberProblem::BadField("device number")));
}
