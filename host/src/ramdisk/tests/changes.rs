//! What is put into a RAM disk, and where it lands.

use std::sync::Arc;

use insta::assert_debug_snapshot;

use super::super::{Found, RamdiskError};
use super::*;
use crate::rootfs::testing::TarBuilder;
use crate::rootfs::{Kind, Lower};

fn tar(builder: TarBuilder) -> Arc<Lower> {
    Arc::new(builder.index().unwrap())
}

#[test]
fn modules_land_where_the_link_leads_and_the_link_stays() {
    let mut ramdisk = ramdisk(&debian());
    let modules = TarBuilder::new()
        .dir("lib", 0o700)
        .dir("lib/modules/6.1", 0o750)
        .file_as("lib/modules/6.1/usb.ko", 0o640, 1000, b"module")
        .symlink("lib/modules/6.1/build", "/usr/src/linux");
    ramdisk.unpack(&tar(modules), "").unwrap();
    assert_debug_snapshot!(members(&written(&ramdisk)), @r#"
    [
        "usr 40755 ",
        "usr/lib 40750 ",
        "lib 120777 usr/lib",
        "lib/libc.so 100755 library",
        "dev 40755 ",
        "dev/console 20600 ",
        "init 100755 #!/bin/sh\\n",
        "usr/lib/modules 40755 ",
        "usr/lib/modules/6.1 40750 ",
        "usr/lib/modules/6.1/build 120777 /usr/src/linux",
        "usr/lib/modules/6.1/usb.ko 100640 module",
    ]
    "#);
    let module = Found { kind: Kind::Regular, mode: 0o640, size: 6 };
    assert_eq!(ramdisk.look("/lib/modules/6.1/usb.ko"), Some(module));
    assert_eq!(ramdisk.read("lib/modules/6.1/usb.ko", 3).unwrap(), b"mod");
}

#[test]
fn what_nobody_changes_stays_byte_for_byte() {
    let before = debian();
    let mut ramdisk = ramdisk(&before);
    ramdisk.put_file("/etc/new", FILE, b"new".to_vec()).unwrap();
    let trailer = Archive::parse(&before).unwrap().trailer;
    let after = written(&ramdisk);
    assert_eq!(after[..trailer], before[..trailer]);
    assert!(after.ends_with(&before[trailer..]));
    ramdisk.remove("etc/new").unwrap();
    ramdisk.remove("etc").unwrap();
    assert_eq!(written(&ramdisk), before);
}

#[test]
fn names_begin_as_they_do_in_the_archive() {
    let file = header(0o100_644, 1);
    let mut ramdisk = ramdisk(&archive(&[(".", header(0o040_755, 2), b""), ("./init", file, b"")]));
    ramdisk.put_file("init", FILE, b"new".to_vec()).unwrap();
    ramdisk.make_directory("a/b", FILE).unwrap();
    assert_eq!(members(&written(&ramdisk)), [". 40755 ", "./a 40755 ", "./a/b 40640 ", "./init 100640 new"]);
}

#[test]
fn an_overlay_is_unpacked_below_its_directory() {
    let mut ramdisk = ramdisk(&debian());
    let overlay = TarBuilder::new().file("deep/file", b"1").hard_link("again", "deep/file");
    ramdisk.unpack(&tar(overlay), "/lib/overlay").unwrap();
    assert_eq!(ramdisk.list("usr/lib/overlay"), ["again", "deep"]);
    assert_eq!(ramdisk.list("lib"), ["libc.so", "overlay"]);
    let image = written(&ramdisk);
    let names: Vec<_> =
        Archive::parse(&image).unwrap().members.into_iter().map(|member| member.header).collect();
    let shared: Vec<_> =
        names.iter().filter(|header| header.links == 2 && header.mode == 0o100_644).collect();
    assert_eq!((shared.len(), shared[0].id), (2, shared[1].id));
    assert!(names.iter().filter(|header| header.id == shared[0].id).count() == 2, "the number is free");
}

#[test]
fn links_never_lead_out_and_those_that_go_round_are_an_error() {
    let mut ramdisk = ramdisk(&archive(&[
        ("up", header(0o120_777, 1), b"../../../etc"),
        ("round", header(0o120_777, 2), b"round"),
        ("nowhere", header(0o120_777, 3), b"/not/there"),
    ]));
    ramdisk.put_file("up/passwd", FILE, b"root".to_vec()).unwrap();
    ramdisk.make_directory("nowhere", FILE).unwrap();
    assert_eq!(ramdisk.look("etc/passwd").unwrap().size, 4);
    assert_eq!(ramdisk.look("not/there").unwrap().kind, Kind::Directory);
    let error = ramdisk.put_file("round/file", FILE, Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the way to /round/file leads through too many symbolic links of the RAM disk"
    );
}

#[test]
fn a_directory_in_the_way_of_a_file_and_a_file_on_the_way_are_errors() {
    let mut ramdisk = ramdisk(&debian());
    let error = ramdisk.put_file("usr/lib", FILE, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "/usr/lib is a directory in the RAM disk");
    let error = ramdisk.put_file("init/file", FILE, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "/init is no directory in the RAM disk");
    assert!(matches!(ramdisk.put_file("a\0b", FILE, Vec::new()), Err(RamdiskError::BadPath { .. })));
    assert!(matches!(ramdisk.put_file("/", FILE, Vec::new()), Err(RamdiskError::IsDirectory { .. })));
    assert!(matches!(ramdisk.remove("usr"), Err(RamdiskError::IsDirectory { .. })));
    let long = "d/".repeat(2100);
    assert!(matches!(ramdisk.make_directory(&long, FILE), Err(RamdiskError::BadPath { .. })));
    assert_eq!(written(&ramdisk), debian());
}

#[test]
fn other_names_of_a_file_keep_its_data_when_the_name_that_has_it_is_replaced() {
    let linked = Header { links: 3, ..header(0o100_644, 9) };
    for data in [[&b"data"[..], b"", b""], [b"", b"", b"data"]] {
        let mut ramdisk =
            ramdisk(&archive(&[("a", linked, data[0]), ("b", linked, data[1]), ("c", linked, data[2])]));
        assert_eq!(ramdisk.read("b", 100).unwrap(), b"data");
        ramdisk.put_file("a", FILE, b"other".to_vec()).unwrap();
        ramdisk.remove("c").unwrap();
        let again = super::ramdisk(&written(&ramdisk));
        assert_eq!(again.read("b", 100).unwrap(), b"data");
        assert_eq!(again.read("a", 100).unwrap(), b"other");
        assert_eq!(again.look("c"), None);
    }
}

#[test]
fn members_behind_a_link_stay_when_the_link_goes() {
    let mut ramdisk = ramdisk(&archive(&[
        ("usr", header(0o040_755, 1), b""),
        ("lib", header(0o120_777, 2), b"usr"),
        ("lib/libc.so", header(0o100_755, 3), b"library"),
        ("lib/modules", header(0o040_755, 4), b""),
        ("usr/modules/usb.ko", header(0o100_644, 5), b"module"),
    ]));
    ramdisk.put_file("lib", FILE, b"no link".to_vec()).unwrap();
    let expected = [
        "usr 40755 ",
        "lib 100640 no link",
        "usr/libc.so 100755 library",
        "usr/modules 40755 ",
        "usr/modules/usb.ko 100644 module",
    ];
    assert_eq!(members(&written(&ramdisk)), expected);
}

#[test]
fn of_a_name_that_comes_twice_the_last_counts_and_both_are_replaced() {
    let file = |inode| header(0o100_644, inode);
    let image = archive(&[("a", file(1), b"first"), ("b", file(2), b""), ("./a", file(3), b"second")]);
    let mut ramdisk = ramdisk(&image);
    assert_eq!(ramdisk.read("a", 100).unwrap(), b"second");
    assert_eq!(written(&ramdisk), image);
    ramdisk.put_file("a", FILE, b"third".to_vec()).unwrap();
    assert_eq!(members(&written(&ramdisk)), ["b 100644 ", "a 100640 third"]);
}

#[test]
fn numbers_that_are_used_up_are_no_trouble() {
    let last = Header { id: [u32::MAX, 0, 0], ..header(0o100_644, 0) };
    let mut ramdisk = ramdisk(&archive(&[("a", last, b"a")]));
    ramdisk.put_file("b", FILE, b"b".to_vec()).unwrap();
    ramdisk.put_file("c", FILE, b"c".to_vec()).unwrap();
    let image = written(&ramdisk);
    let ids: Vec<_> = Archive::parse(&image).unwrap().members.iter().map(|member| member.header.id).collect();
    assert_eq!(ids, [[u32::MAX, 0, 0], [1, 0, 1], [2, 0, 1]]);
}

#[test]
fn a_tar_that_climbs_out_is_refused_before() {
    let climbing =
        TarBuilder::new().raw(b"../etc/passwd", TarBuilder::header(tar::EntryType::Regular, 0o644), b"");
    assert!(climbing.index().is_err());
    let mut ramdisk = ramdisk(&debian());
    let over_directory = tar(TarBuilder::new().file("usr/lib", b""));
    let error = ramdisk.unpack(&over_directory, "").unwrap_err();
    assert_eq!(error.to_string(), "/usr/lib is a directory in the RAM disk");
}
