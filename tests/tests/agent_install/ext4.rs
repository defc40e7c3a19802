//! ext4 file systems: images, and partitions of whole disks. e2fsprogs' own checker has the last word.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use crate::fixture::{Fixture, listing, make_ext4, sbin, tool};

const MIB: u64 = 1 << 20;

/// Makes sure that the file system at byte `offset` has no errors.
pub(crate) fn check(path: &Path, offset: u64) {
    let device =
        if offset == 0 { path.display().to_string() } else { format!("{}?offset={offset}", path.display()) };
    tool(sbin("e2fsck").args(["-f", "-n", &device]));
}

/// Unpacks a file system into the directory `to`.
fn unpack(fixture: &Fixture, name: &str, to: &str) {
    fs::create_dir(fixture.path(to)).unwrap();
    tool(
        sbin("debugfs")
            .args(["-R", &format!("rdump / {}", fixture.path(to).display())])
            .arg(fixture.path(name)),
    );
}

#[test]
fn an_agent_lives_in_every_kind_of_file_system_and_leaves_no_trace() {
    let kinds: [&[&str]; 4] = [
        &["-t", "ext4"],
        &["-t", "ext4", "-b", "1024", "-O", "metadata_csum,64bit,inline_data"],
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^dir_index"],
        &["-t", "ext2"],
    ];
    for (index, options) in kinds.into_iter().enumerate() {
        let fixture = Fixture::new();
        make_ext4(&fixture, "rootfs.img", 16, options);
        unpack(&fixture, "rootfs.img", "before");
        fixture.assert_life(&["rootfs.img"]);
        check(&fixture.path("rootfs.img"), 0);
        unpack(&fixture, "rootfs.img", "with");
        fixture.assert_files(&fixture.path("with"));
        let owner = tool(
            sbin("debugfs").args(["-R", "ls -p /usr/lib/lava-agent/bin"]).arg(fixture.path("rootfs.img")),
        );
        let owner = String::from_utf8(owner).unwrap();
        assert!(
            owner.lines().filter(|line| line.contains("lava")).all(|line| line.contains("/0/0/lava")),
            "{owner}"
        );
        fixture.remove(&["rootfs.img"]).assert(0, &["is removed"]);
        check(&fixture.path("rootfs.img"), 0);
        unpack(&fixture, "rootfs.img", "after");
        assert_eq!(listing(&fixture.path("after")), listing(&fixture.path("before")), "{index}");
    }
}

#[test]
fn a_full_file_system_is_left_as_it_is() {
    let fixture = Fixture::new();
    fs::write(fixture.root().join("var/ballast"), vec![7; 1_870_000]).unwrap();
    make_ext4(&fixture, "rootfs.img", 2, &["-t", "ext4", "-O", "^has_journal"]);
    let before = fs::read(fixture.path("rootfs.img")).unwrap();
    fixture
        .install(&["rootfs.img"])
        .assert(3, &["it has no room", "bytes are needed", "nothing was changed"]);
    assert!(fs::read(fixture.path("rootfs.img")).unwrap() == before, "the image has changed");
}

#[test]
fn a_file_system_that_was_not_unmounted_is_left_as_it_is() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 16, &["-t", "ext4"]);
    for command in ["feature needs_recovery", "set_super_value state 2"] {
        tool(sbin("debugfs").args(["-w", "-R", command]).arg(fixture.path("rootfs.img")));
        let before = fs::read(fixture.path("rootfs.img")).unwrap();
        fixture.install(&["rootfs.img"]).assert(3, &["is not clean", "e2fsck -f"]);
        assert!(fs::read(fixture.path("rootfs.img")).unwrap() == before, "the image has changed");
        tool(sbin("debugfs").args(["-w", "-R", "feature ^needs_recovery"]).arg(fixture.path("rootfs.img")));
    }
}

#[test]
fn a_locked_image_is_left_to_who_has_it() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 16, &["-t", "ext4"]);
    let mut holder = Command::new("flock")
        .arg(fixture.path("rootfs.img"))
        .args(["cat"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut tries = 0;
    while Command::new("flock")
        .args(["--nonblock"])
        .arg(fixture.path("rootfs.img"))
        .arg("true")
        .status()
        .unwrap()
        .success()
    {
        tries += 1;
        assert!(tries < 10_000, "flock does not lock");
    }
    fixture.install(&["rootfs.img"]).assert(3, &["in use", "locked"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    fixture.install(&["rootfs.img"]).assert(0, &[]);
}

/// A boot sector with a FAT partition of 2 MiB and an ext4 one of 16 MiB, each behind a MiB for alignment.
fn disk(fixture: &Fixture) -> u64 {
    make_ext4(fixture, "partition.img", 16, &["-t", "ext4"]);
    let (boot, root) = (MIB, 4 * MIB);
    let entry = |kind: u8, begin: u64, size: u64| {
        let number = |bytes: u64| u32::try_from(bytes / 512).unwrap().to_le_bytes();
        [&[0, 0, 2, 0, kind, 0, 2, 0][..], &number(begin), &number(size)].concat()
    };
    let sector =
        [&[0; 446][..], &entry(0x0c, boot, 2 * MIB), &entry(0x83, root, 16 * MIB), &[0; 32], &[0x55, 0xaa]]
            .concat();
    let disk = fs::File::create(fixture.path("disk.img")).unwrap();
    disk.set_len(root + 17 * MIB).unwrap();
    disk.write_all_at(&sector, 0).unwrap();
    disk.write_all_at(b"boot partition", boot).unwrap();
    disk.write_all_at(b"behind all partitions", root + 16 * MIB).unwrap();
    disk.write_all_at(&fs::read(fixture.path("partition.img")).unwrap(), root).unwrap();
    root
}

#[test]
fn of_a_whole_disk_the_partition_is_asked_for() {
    let fixture = Fixture::new();
    let root = disk(&fixture);
    let partitions = "it is a whole disk with the partitions 1 (2 MiB), 2 (16 MiB, ext4)";
    fixture.install(&["disk.img"]).assert(2, &[partitions, "`--partition 2`"]);
    fixture
        .install(&["disk.img", "--partition", "3"])
        .assert(2, &["it has no partition 3 with the partitions 1"]);
    fixture
        .install(&["disk.img", "--partition", "1"])
        .assert(2, &["a partition without an ext4 file system"]);

    let before = fs::read(fixture.path("disk.img")).unwrap();
    fixture.assert_life(&["disk.img", "--partition", "2"]);
    check(&fixture.path("disk.img"), root);
    let after = fs::read(fixture.path("disk.img")).unwrap();
    let (begin, end) = (root as usize, (root + 16 * MIB) as usize);
    assert!(
        after[..begin] == before[..begin] && after[end..] == before[end..],
        "other partitions have changed"
    );
    fixture.remove(&["disk.img", "--partition", "2"]).assert(0, &["is removed"]);
    check(&fixture.path("disk.img"), root);
}

#[test]
fn a_partition_that_is_cut_off_is_left_as_it_is() {
    let fixture = Fixture::new();
    let root = disk(&fixture);
    fs::File::options().write(true).open(fixture.path("disk.img")).unwrap().set_len(root + 15 * MIB).unwrap();
    let before = fs::read(fixture.path("disk.img")).unwrap();
    let said = "the ext4 file system in it needs 16777216 bytes, there are only 15728640";
    fixture.install(&["disk.img", "--partition", "2"]).assert(3, &[said, "copy all of it there"]);
    assert!(fs::read(fixture.path("disk.img")).unwrap() == before, "the image has changed");
}
