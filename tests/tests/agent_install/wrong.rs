//! What is no target, and how that is told.

use std::fs;
use std::process::Command;

use crate::fixture::{Fixture, listing, tool};

#[test]
fn what_is_no_target_is_told_with_what_would_be_one() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.path("photos/2026")).unwrap();
    fs::write(fixture.path("empty"), "").unwrap();
    fs::write(fixture.path("page.html"), "<html><body>404 not found, said the server</body></html>").unwrap();
    fs::write(fixture.path("text"), "a".repeat(2000)).unwrap();
    tool(Command::new("gzip").arg(fixture.path("text")));
    fs::write(fixture.path("initrd.lz4"), b"\x02\x21\x4c\x18rest of it").unwrap();
    fs::write(fixture.path("hello"), "hello\n").unwrap();
    tool(Command::new("lz4").args(["-q", "-l"]).arg(fixture.path("hello")).arg(fixture.path("hello.lz4")));
    // A FAT file system begins like a disk.
    let boot = [&b"\xeb\x3c\x90mkfs.fat"[..], &[0; 499], &[0x55, 0xaa], &[0; 4096]].concat();
    fs::write(fixture.path("boot.img"), boot).unwrap();
    let before = listing(&fixture.path(""));
    let ways = "name a mounted root filesystem";
    for (target, code, said) in [
        ("nowhere", 2, "cannot open nowhere: No such file"),
        ("photos", 2, "this is no root filesystem"),
        ("empty", 2, "an empty file"),
        ("page.html", 2, "a file that begins with \"<html><b\""),
        ("text.gz", 2, "packed with gzip with neither a tar nor a RAM disk in it"),
        ("/dev/null", 2, "a device, a pipe or a socket"),
        ("boot.img", 2, "a file that begins with"),
        ("initrd.lz4", 3, "its LZ4 data is damaged or cut off at byte 4"),
        ("hello.lz4", 3, "what begins with \"hello\\n\" is no cpio archive"),
    ] {
        for command in ["install", "remove", "status"] {
            let ended = fixture.run(&[command, target]);
            ended.assert(code, &[target, said]);
            if code == 2 && target != "photos" {
                ended.assert(code, &[ways, "ssh:HOST"]);
            }
        }
    }
    fixture.run(&["status", "root", "--partition", "1"]).assert(2, &["--partition has no meaning with it"]);
    fixture.run(&["status", "root", "--root", "/mnt"]).assert(2, &["--root has no meaning with it"]);
    fixture
        .run(&["status", "ssh:board", "--root", "mnt"])
        .assert(2, &["--root with anything but an absolute path"]);
    assert_eq!(listing(&fixture.path("")), before);
}

#[test]
fn an_unknown_processor_is_asked_for_and_a_missing_agent_is_told() {
    let fixture = Fixture::new();
    fixture
        .install(&["--arch", "riscv64", "root"])
        .assert(4, &["there is no agent for riscv64", "agents/riscv64/lava-agent", "`--agents`"]);
    fs::remove_file(fixture.root().join("usr/bin/busybox")).unwrap();
    fixture.install(&["root"]).assert(2, &["cannot tell which architecture", "`--arch armv7`"]);
    fixture.install(&["--arch", "x86_64", "root"]).assert(0, &[]);
    fs::write(fixture.path("agents/x86_64/lava-agent"), "\x7fELF of something else").unwrap();
    fixture.install(&["--arch", "x86_64", "root"]).assert(4, &["is no agent for x86_64 of this release"]);
}

#[test]
fn what_is_packed_or_archived_in_another_way_is_told_by_name() {
    let fixture = Fixture::new();
    fs::write(fixture.path("plain"), "x").unwrap();
    let by = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        fs::write(fixture.path("other"), tool(command.args(words).current_dir(fixture.path("")))).unwrap();
    };
    for (program, words, said, help) in [
        (
            "lz4",
            &["-q", "-c", "plain"][..],
            "packed with LZ4 in the format that the kernel does not unpack",
            "`lz4 -l`",
        ),
        ("xz", &["--format=lzma", "-c", "plain"], "packed with LZMA", "`xz -d --format=lzma`"),
        (
            "sh",
            &["-c", "echo plain | cpio --quiet -o -H odc"],
            "a cpio archive of an old format",
            "`cpio -o -H newc`",
        ),
        (
            "sh",
            &["-c", "echo plain | cpio --quiet -o -H bin"],
            "a cpio archive of an old format",
            "`cpio -o -H newc`",
        ),
        // As lzop's documentation has it.
        ("printf", &["\\211LZO\\000\\r\\n\\032\\n"], "packed with LZO", "`lzop -d`"),
    ] {
        by(program, words);
        for command in ["install", "remove", "status"] {
            fixture
                .run(&[command, "other"])
                .assert(2, &[&format!("it is {said}, which is not supported"), help]);
        }
    }
}
