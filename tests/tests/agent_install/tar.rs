//! Tars, with every compression.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixture::{Fixture, listing, tool};

/// What packs and unpacks them, and the ending.
const PACKERS: [(&str, &str); 5] =
    [("cat", ""), ("gzip", ".gz"), ("bzip2", ".bz2"), ("xz", ".xz"), ("zstd", ".zst")];

/// Makes a tar of the fixture's root as a distribution has it: another owner, long names, a sparse file, pax records.
fn pack(fixture: &Fixture, format: &str) -> Vec<u8> {
    let root = fixture.root();
    let long = "long/".repeat(30);
    fs::create_dir_all(root.join(&long)).unwrap();
    fs::write(root.join(&long).join("x".repeat(90)), "deep").unwrap();
    let sparse = fs::File::create(root.join("var/sparse")).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, b"end", 1 << 20).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sparse", "--numeric-owner", "--owner=1234", "--group=99", "--sort=name"]);
    tar.arg(format!("--format={format}")).arg("--directory").arg(&root).arg(".");
    tool(&mut tar)
}

/// An archive without the zeros that end it.
fn without_end(tar: &[u8]) -> &[u8] {
    let end = tar.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    &tar[..end.next_multiple_of(512)]
}

fn packed(packer: &str, path: &Path) -> Vec<u8> {
    tool(Command::new(packer).args((packer != "cat").then_some("-c")).arg(path))
}

fn unpacked(packer: &str, path: &Path) -> Vec<u8> {
    tool(Command::new(packer).args((packer != "cat").then_some("-dc")).arg(path))
}

#[test]
fn all_other_members_stay_as_they_are_byte_by_byte() {
    for format in ["gnu", "posix"] {
        let fixture = Fixture::new();
        let plain = pack(&fixture, format);
        for (packer, ending) in PACKERS {
            let name = format!("rootfs.tar{ending}");
            let path = fixture.path(&name);
            fs::write(fixture.path("plain"), &plain).unwrap();
            fs::write(&path, packed(packer, &fixture.path("plain"))).unwrap();
            fixture.install(&[&name]).assert(0, &["is installed in /usr/lib/lava-agent"]);
            fixture.assert_whole(&[&name]);
            let with = unpacked(packer, &path);
            assert!(with.starts_with(without_end(&plain)), "{format} {packer}");
            fixture.remove(&[&name]).assert(0, &["is removed"]);
            assert_eq!(without_end(&unpacked(packer, &path)), without_end(&plain), "{format} {packer}");
            assert_eq!(fixture.status(&[&name])["installed"], false);
        }
    }
}

#[test]
fn an_agent_lives_in_a_tar_and_is_unpacked_from_it() {
    let fixture = Fixture::new();
    fs::write(fixture.path("rootfs.tar"), pack(&fixture, "gnu")).unwrap();
    fixture.assert_life(&["rootfs.tar"]);
    let listed = tool(Command::new("tar").args(["-tvf"]).arg(fixture.path("rootfs.tar")));
    let listed = String::from_utf8(listed).unwrap();
    let ours: Vec<&str> = listed.lines().filter(|line| line.contains("lava-")).collect();
    assert!(ours.len() > 30);
    assert!(ours.iter().all(|line| line.contains(" root/root ")), "{listed}");
    assert_eq!(
        ours.iter()
            .filter(|line| line.ends_with("lava-agent/bin/lava-agent") && !line.contains("->"))
            .count(),
        1,
        "{listed}"
    );
    assert!(
        listed.lines().filter(|line| !line.contains("lava-")).all(|line| line.contains(" 1234/99 ")),
        "{listed}"
    );

    fs::create_dir(fixture.path("unpacked")).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--no-same-owner", "--file"]).arg(fixture.path("rootfs.tar"));
    tool(tar.arg("--directory").arg(fixture.path("unpacked")));
    fixture.assert_files(&fixture.path("unpacked"));
}

#[test]
fn a_linked_usr_is_written_where_it_leads() {
    let fixture = Fixture::new();
    fs::rename(fixture.root().join("usr"), fixture.root().join("system")).unwrap();
    std::os::unix::fs::symlink("system", fixture.root().join("usr")).unwrap();
    fs::write(fixture.path("rootfs.tar"), pack(&fixture, "gnu")).unwrap();
    fixture.install(&["rootfs.tar"]).assert(0, &[]);
    fixture.assert_whole(&["rootfs.tar"]);
    fs::create_dir(fixture.path("unpacked")).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--no-same-owner", "--file"]).arg(fixture.path("rootfs.tar"));
    tool(tar.arg("--directory").arg(fixture.path("unpacked")));
    assert!(fixture.path("unpacked/usr").is_symlink());
    fixture.assert_files(&fixture.path("unpacked"));
}

#[test]
fn a_damaged_tar_is_left_as_it_is() {
    let fixture = Fixture::new();
    let plain = pack(&fixture, "gnu");
    let cut = &plain[..plain.len() / 2 / 512 * 512 + 100];
    fs::write(fixture.path("rootfs.tar"), cut).unwrap();
    fixture.install(&["rootfs.tar"]).assert(3, &["rootfs.tar"]);
    assert_eq!(fs::read(fixture.path("rootfs.tar")).unwrap(), cut);
    fs::write(fixture.path("plain"), &plain).unwrap();
    let packed = packed("xz", &fixture.path("plain"));
    fs::write(fixture.path("rootfs.tar.xz"), &packed[..packed.len() / 2]).unwrap();
    let before = listing(&fixture.path(""));
    fixture.install(&["rootfs.tar.xz"]).assert(3, &["cannot decompress rootfs.tar.xz"]);
    assert_eq!(listing(&fixture.path("")), before);
}
