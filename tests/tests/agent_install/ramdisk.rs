//! RAM disks: cpio archives, packed or not, with U-Boot's header or not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixture::{Fixture, listing, tool};

/// What packs and unpacks them.
const PACKERS: [&[&str]; 6] =
    [&["cat"], &["gzip", "-9"], &["bzip2"], &["xz", "--check=crc32"], &["zstd"], &["lz4", "-l", "-9", "-c"]];

/// Puts U-Boot's header before `ramdisk`, or checks and removes it.
const UIMAGE: &str = r#"
import struct, sys, zlib
do, source, target = sys.argv[1:]
data = open(source, "rb").read()
form = ">7I4B32s"
def header(crc, body):
    return struct.pack(form, 0x27051956, crc, 1700000000, len(body), 0, 0, zlib.crc32(body), 5, 2, 3, 1, b"board")
if do == "wrap":
    out = header(zlib.crc32(header(0, data)), data) + data
else:
    body = data[64:]
    assert data[:64] == header(zlib.crc32(header(0, body)), body), data[:64]
    out = body
open(target, "wb").write(out)
"#;

fn cpio(root: &Path) -> Vec<u8> {
    let archive = "find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0";
    tool(Command::new("sh").args(["-c", archive]).current_dir(root))
}

fn pipe(words: &[&str], input: &Path) -> Vec<u8> {
    tool(Command::new(words[0]).args(&words[1..]).stdin(fs::File::open(input).unwrap()))
}

fn unpack(fixture: &Fixture, archive: &Path, to: &str, by: &[&str]) {
    fs::create_dir(fixture.path(to)).unwrap();
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).current_dir(fixture.path(to)).stdin(fs::File::open(archive).unwrap());
    tool(command.stdout(Stdio::null()));
}

#[test]
fn both_cpio_programs_unpack_what_is_installed_in_every_packing() {
    for packer in PACKERS {
        let fixture = Fixture::new();
        let plain = cpio(&fixture.root());
        fs::write(fixture.path("plain"), &plain).unwrap();
        let name = format!("initrd.{}", packer[0]);
        fs::write(fixture.path(&name), pipe(packer, &fixture.path("plain"))).unwrap();
        fixture.assert_life(&[&name]);
        let unpacker: &[&str] = if packer[0] == "cat" { &["cat"] } else { &[packer[0], "-dc"] };
        fs::write(fixture.path("with"), pipe(unpacker, &fixture.path(&name))).unwrap();
        unpack(
            &fixture,
            &fixture.path("with"),
            "gnu",
            &["cpio", "--quiet", "-i", "-d", "--no-preserve-owner"],
        );
        unpack(&fixture, &fixture.path("with"), "busybox", &["busybox", "cpio", "-i", "-d"]);
        fixture.assert_files(&fixture.path("gnu"));
        fixture.assert_files(&fixture.path("busybox"));
        if packer[0] == "xz" {
            let check = tool(Command::new("xz").args(["--robot", "--list"]).arg(fixture.path(&name)));
            assert!(String::from_utf8(check).unwrap().contains("CRC32"), "the kernel knows no other check");
        }

        fixture.remove(&[&name]).assert(0, &["is removed"]);
        assert!(pipe(unpacker, &fixture.path(&name)) == plain, "{name}: other members have changed");
    }
}

#[test]
fn sizes_and_sums_of_u_boots_header_follow() {
    let fixture = Fixture::new();
    fs::write(fixture.path("plain"), cpio(&fixture.root())).unwrap();
    fs::write(fixture.path("initrd"), pipe(&["gzip"], &fixture.path("plain"))).unwrap();
    let uimage = |what: &str, from: &str, to: &str| {
        let mut python = Command::new("python3");
        tool(python.args(["-c", UIMAGE, what]).arg(fixture.path(from)).arg(fixture.path(to)))
    };
    uimage("wrap", "initrd", "uInitrd");
    fixture.assert_life(&["uInitrd"]);
    uimage("check", "uInitrd", "inside");
    fs::write(fixture.path("with"), pipe(&["gzip", "-dc"], &fixture.path("inside"))).unwrap();
    unpack(&fixture, &fixture.path("with"), "gnu", &["cpio", "--quiet", "-i", "-d", "--no-preserve-owner"]);
    fixture.assert_files(&fixture.path("gnu"));

    let mut damaged = fs::read(fixture.path("uInitrd")).unwrap();
    damaged[100] ^= 1;
    fs::write(fixture.path("uInitrd"), &damaged).unwrap();
    fixture
        .install_earlier(&["uInitrd"])
        .assert(3, &["the checksum of the data in U-Boot's header is wrong"]);
    assert_eq!(fs::read(fixture.path("uInitrd")).unwrap(), damaged);
}

#[test]
fn an_archive_before_the_last_one_is_left_alone() {
    let fixture = Fixture::new();
    let early = fixture.path("early");
    fs::create_dir_all(early.join("kernel")).unwrap();
    fs::write(early.join("kernel/microcode"), "m").unwrap();
    let early = cpio(&early);
    fs::write(fixture.path("plain"), cpio(&fixture.root())).unwrap();
    let main = pipe(&["gzip"], &fixture.path("plain"));
    fs::write(fixture.path("initrd"), [&*early, &main].concat()).unwrap();
    fixture.assert_life(&["initrd"]);
    assert!(fs::read(fixture.path("initrd")).unwrap().starts_with(&early));
}

#[test]
fn a_ram_disk_of_busybox_alone_gets_its_directories_and_gives_them_back() {
    let fixture = Fixture::new();
    let small = fixture.path("small");
    fs::create_dir_all(small.join("bin")).unwrap();
    fs::copy(fixture.root().join("usr/bin/busybox"), small.join("bin/busybox")).unwrap();
    let plain = cpio(&small);
    fs::write(fixture.path("initrd"), &plain).unwrap();
    fixture.assert_life(&["initrd"]);
    unpack(&fixture, &fixture.path("initrd"), "gnu", &["cpio", "--quiet", "-i", "-d", "--no-preserve-owner"]);
    fixture.assert_files(&fixture.path("gnu"));
    fixture.remove(&["initrd"]).assert(0, &[]);
    assert_eq!(fs::read(fixture.path("initrd")).unwrap(), plain);
    assert_eq!(listing(&small).len(), 2);
}
