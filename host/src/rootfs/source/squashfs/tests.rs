use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::rootfs::source::{ImageFormat, SourceError};
use crate::rootfs::testing::files::{compare, demanding_tree};
use crate::rootfs::testing::index_bytes;
use crate::rootfs::{Ino, Kind};

/// Makes an image of `tree` with squashfs-tools.
fn make(tree: &Path, options: &[&str]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    let output = Command::new("mksquashfs")
        .args([tree, &image])
        .args(["-noappend", "-quiet", "-no-progress"])
        .args(options)
        .output()
        .expect("mksquashfs of squashfs-tools");
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    (directory, image)
}

fn convert(image: &Path) -> Result<(Vec<u8>, Vec<String>), SourceError> {
    let mut tar = Vec::new();
    let notes = ImageFormat::Squashfs.write_tar(image, &mut tar, &|| Ok(()))?;
    Ok((tar, notes))
}

fn text(error: &SourceError) -> String {
    crate::fault::Chain(error).to_string()
}

/// A tree with what takes another way through an image: a large file, many names, files of the same data.
fn large_tree() -> TempDir {
    let tree = demanding_tree();
    let path = tree.path();
    // The library takes no target of more than 255 bytes, and the format knows no time before 1970.
    fs::remove_file(path.join("far")).unwrap();
    fs::remove_file(path.join("old")).unwrap();
    let data: Vec<u8> = (0..1_000_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    fs::write(path.join("large"), &data).unwrap();
    fs::write(path.join("large-again"), &data).unwrap();
    fs::write(path.join("zeros"), vec![0; 500_000]).unwrap();
    fs::create_dir(path.join("many")).unwrap();
    for number in 0..1500 {
        fs::write(path.join(format!("many/a-name-of-some-length-{number}")), number.to_string()).unwrap();
    }
    tree
}

#[test]
fn every_compression_yields_what_the_kernel_says() {
    let tree = large_tree();
    for compression in ["gzip", "xz", "zstd", "lz4"] {
        let (_directory, image) = make(tree.path(), &["-comp", compression]);
        assert_eq!(ImageFormat::detect(&image).unwrap(), Some(ImageFormat::Squashfs));
        let (tar, notes) = convert(&image).unwrap_or_else(|error| panic!("{compression}: {}", text(&error)));
        let lower = index_bytes(&tar).unwrap();
        assert!(lower.is_sound());
        compare(&lower, Ino::ROOT, tree.path(), false);
        assert!(notes.is_empty(), "{notes:?}");
        let again = lower.lookup(Ino::ROOT, b"large-again").unwrap();
        assert_ne!(lower.lookup(Ino::ROOT, b"large").unwrap(), again, "the same data is no hard link");
    }
}

#[test]
fn devices_owners_sockets_and_uncompressed_images_are_understood() {
    let tree = tempfile::tempdir().unwrap();
    let pseudo = ["null c 666 0 0 1 3", "mmcblk0p300 b 640 0 6 259 70000", "owned d 2750 100000 65534"];
    let mut options = vec!["-noI", "-noD", "-noF", "-nopad"];
    for definition in pseudo {
        options.extend(["-p", definition]);
    }
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    let (_directory, image) = make(tree.path(), &options);
    let (tar, notes) = convert(&image).unwrap();
    let lower = index_bytes(&tar).unwrap();
    let meta = |name: &[u8]| lower.get(lower.lookup(Ino::ROOT, name).unwrap()).unwrap().meta;
    let null = meta(b"null");
    assert_eq!((null.kind, null.mode, null.device), (Kind::CharacterDevice, 0o666, (1, 3)));
    let disk = meta(b"mmcblk0p300");
    assert_eq!((disk.kind, disk.gid, disk.device), (Kind::BlockDevice, 6, (259, 70_000)));
    let owned = meta(b"owned");
    assert_eq!((owned.kind, owned.mode, owned.uid, owned.gid), (Kind::Directory, 0o2750, 100_000, 65534));
    assert_eq!(notes, ["sockets are left out: ./socket"]);
}

#[test]
fn extended_attributes_are_said_to_be_lost() {
    let tree = tempfile::tempdir().unwrap();
    let file = tree.path().join("ping");
    fs::write(&file, b"ping").unwrap();
    rustix::fs::setxattr(&file, "user.a", b"b", rustix::fs::XattrFlags::empty()).unwrap();
    let (_directory, image) = make(tree.path(), &[]);
    assert_eq!(convert(&image).unwrap().1, ["extended attributes of a squashfs image are not kept: ./ping"]);
}

#[test]
fn a_compression_that_is_not_built_in_is_named() {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("file"), vec![b'a'; 10_000]).unwrap();
    let (_directory, image) = make(tree.path(), &["-comp", "lzo"]);
    let text = text(&convert(&image).unwrap_err());
    assert!(text.starts_with("not a usable squashfs image") && text.contains("Lzo"), "{text}");
}

#[test]
fn an_image_that_is_cut_off_is_refused() {
    let tree = large_tree();
    let (_directory, image) = make(tree.path(), &[]);
    convert(&image).unwrap();
    let whole = fs::metadata(&image).unwrap().len();
    for length in [5, 95, 96, whole / 2, whole - 8192] {
        fs::File::options().write(true).open(&image).unwrap().set_len(length).unwrap();
        let text = text(&convert(&image).unwrap_err());
        assert!(text.starts_with("not a usable squashfs image: "), "{length}: {text}");
    }
}

#[test]
fn a_damaged_image_is_refused_or_sound() {
    let tree = large_tree();
    let (_directory, image) = make(tree.path(), &["-noI", "-noF", "-noD"]);
    convert(&image).unwrap();
    let good = fs::read(&image).unwrap();
    let file = fs::File::options().write(true).open(&image).unwrap();
    let mut refused = 0;
    // The superblock, and the tables at the end, where every byte counts.
    let tables = good.len().saturating_sub(60_000);
    for at in (0..96).chain((tables..good.len()).step_by(1997)) {
        for value in [0, 0xff, good[at].wrapping_add(1)] {
            file.write_all_at(&[value], at as u64).unwrap();
            match convert(&image) {
                Ok((tar, _)) => assert!(index_bytes(&tar).is_ok_and(|lower| lower.is_sound()), "byte {at}"),
                Err(error) => {
                    assert!(!text(&error).is_empty());
                    refused += 1;
                }
            }
        }
        file.write_all_at(&good[at..=at], at as u64).unwrap();
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_link_that_the_library_does_not_take_is_guessed_at() {
    let tree = demanding_tree();
    let (_directory, image) = make(tree.path(), &[]);
    let text = text(&convert(&image).unwrap_err());
    assert!(text.contains("a symbolic link of more than 255 bytes"), "{text}");
}

#[test]
fn sizes_in_the_superblock_are_not_believed() {
    let tree = tempfile::tempdir().unwrap();
    let (_directory, image) = make(tree.path(), &[]);
    let file = fs::File::options().write(true).open(&image).unwrap();
    file.write_all_at(&3_000_000_u32.to_le_bytes(), 4).unwrap();
    let told = text(&convert(&image).unwrap_err());
    assert_eq!(
        told,
        "not a usable squashfs image: more than 2000000 files and directories are not supported"
    );
}
