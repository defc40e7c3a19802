//! Whole disks with a GUID partition table, made by util-linux' programs.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::ext4::check;
use crate::fixture::{Fixture, make_ext4, piped, sbin};

const MIB: u64 = 1 << 20;

/// What the disk has: 32 MiB, a boot partition, and behind it the root filesystem.
const SIZE: u64 = 32 * MIB;
const ROOT: u64 = 3 * MIB;
const ROOT_SIZE: u64 = 16 * MIB;

/// Makes `disk.img` with sectors of `sector` bytes.
pub(crate) fn disk(fixture: &Fixture, sector: u64) {
    make_ext4(fixture, "partition.img", ROOT_SIZE / MIB, &["-t", "ext4"]);
    let path = fixture.path("disk.img");
    let disk = fs::File::create(&path).unwrap();
    disk.set_len(SIZE).unwrap();
    let mut fdisk = sbin("fdisk");
    fdisk.args(["--sector-size", &sector.to_string()]).arg(&path);
    piped(&mut fdisk, b"g\nn\n1\n\n+2M\nn\n2\n\n+16M\nw\n");
    disk.write_all_at(b"boot partition", MIB).unwrap();
    disk.write_all_at(&fs::read(fixture.path("partition.img")).unwrap(), ROOT).unwrap();
}

/// Makes sure that an agent lives in the second partition of `disk.img`, and that all other bytes stay.
fn assert_life(fixture: &Fixture) {
    let path = fixture.path("disk.img");
    let before = fs::read(&path).unwrap();
    let partitions = "it is a whole disk with the partitions 1 (2 MiB), 2 (16 MiB, ext4)";
    fixture.install(&["disk.img"]).assert(2, &[partitions, "`--partition 2`"]);
    fixture
        .install(&["disk.img", "--partition", "7"])
        .assert(2, &["it has no partition 7 with the partitions 1"]);
    fixture.assert_life(&["disk.img", "--partition", "2"]);
    check(&path, ROOT);
    let after = fs::read(&path).unwrap();
    let (begin, end) = (ROOT as usize, (ROOT + ROOT_SIZE) as usize);
    assert!(after[..begin] == before[..begin] && after[end..] == before[end..], "other bytes have changed");
    fixture.remove(&["disk.img", "--partition", "2"]).assert(0, &["is removed"]);
    check(&path, ROOT);
}

fn damage(path: &Path, place: u64) {
    let disk = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    disk.read_exact_at(&mut byte, place).unwrap();
    disk.write_all_at(&[byte[0] ^ 1], place).unwrap();
}

#[test]
fn an_agent_lives_in_a_partition_of_a_disk_with_sectors_of_either_size() {
    for sector in [512, 4096] {
        let fixture = Fixture::new();
        disk(&fixture, sector);
        assert_life(&fixture);
    }
}

/// An image that was written to a larger card has it somewhere, or nowhere.
#[test]
fn the_second_copy_of_the_table_may_be_damaged() {
    let fixture = Fixture::new();
    disk(&fixture, 512);
    damage(&fixture.path("disk.img"), SIZE - 512);
    damage(&fixture.path("disk.img"), SIZE - 2000);
    assert_life(&fixture);
}

#[test]
fn a_damaged_first_copy_is_told_and_nothing_is_changed() {
    for (place, said) in [
        (512, "there is no header"),
        (512 + 40, "the checksum of its header is wrong"),
        (1024 + 32, "the checksum of its list of partitions is wrong"),
    ] {
        let fixture = Fixture::new();
        disk(&fixture, 512);
        let (path, whole) = (fixture.path("disk.img"), fs::read(fixture.path("disk.img")).unwrap());
        damage(&path, place);
        let damaged = fs::read(&path).unwrap();
        for words in
            [&["install", "--agents", "agents", "disk.img", "--partition", "2"][..], &["status", "disk.img"]]
        {
            let error = format!("the first copy of its partition table (GPT) is damaged: {said}");
            fixture.run(words).assert(3, &[&error, "`fdisk …` and its command `w`"]);
        }
        assert!(fs::read(&path).unwrap() == damaged, "the image has changed");
        // What the error says helps.
        piped(sbin("fdisk").arg(&path), b"w\n");
        assert!(fs::read(&path).unwrap() == whole, "it is not as it was");
        fixture.install(&["disk.img", "--partition", "2"]).assert(0, &["is installed"]);
    }
}

#[test]
fn a_disk_that_is_cut_off_is_left_as_it_is() {
    let fixture = Fixture::new();
    disk(&fixture, 512);
    let image = fs::File::options().write(true).open(fixture.path("disk.img")).unwrap();
    image.set_len(ROOT + ROOT_SIZE - MIB).unwrap();
    let before = fs::read(fixture.path("disk.img")).unwrap();
    let said = ["its partition table (GPT) needs", "there are only 18874368", "copy all of it"];
    fixture.install(&["disk.img", "--partition", "2"]).assert(3, &said);
    assert!(fs::read(fixture.path("disk.img")).unwrap() == before, "the image has changed");
}
