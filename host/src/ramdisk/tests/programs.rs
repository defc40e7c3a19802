//! RAM disks that real programs have made, and unpack again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::super::uimage::{Architecture, Header};
use super::super::{Meta, Ramdisk};
use super::written;
use crate::rootfs::Lower;
use crate::rootfs::testing::files::demanding_tree;

/// What packs RAM disks.
const PACKERS: [&str; 6] = ["cat", "gzip", "bzip2", "xz --check=crc32", "zstd --quiet", "lz4 -l --quiet -c"];

/// Runs `script` in `directory` with `input`; what it writes.
fn shell(script: &str, directory: &Path, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("a shell");
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A program that ends early closes the pipe: what it says is told below.
        scope.spawn(move || drop(stdin.write_all(input)));
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} (packages cpio, lz4, zstd, u-boot-tools, …): {said}");
        output.stdout
    })
}

/// All that is in a directory, but the times of directories and links: `cpio` leaves those as they come.
fn listing(directory: &Path) -> BTreeMap<String, String> {
    let mut listing = BTreeMap::new();
    let mut first: BTreeMap<u64, String> = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(parent) = left.pop() {
        let mut paths: Vec<_> = fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let is = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(directory).unwrap().as_os_str().as_encoded_bytes();
            let name = name.escape_ascii().to_string();
            let kind = is.file_type();
            let mut content = String::new();
            let mut mtime = is.mtime();
            if kind.is_dir() {
                mtime = 0;
                left.push(path);
            } else if kind.is_symlink() {
                mtime = 0;
                content = format!("{:?}", fs::read_link(&path).unwrap());
            } else if kind.is_file() {
                // Which of its names comes first tells which files are one.
                let name = first.entry(is.ino()).or_insert_with(|| name.clone());
                content = format!("{} as {name}", crc32fast::hash(&fs::read(&path).unwrap()));
            } else {
                assert!(kind.is_fifo());
            }
            let (mode, uid, gid, size) =
                (is.mode(), is.uid(), is.gid(), if kind.is_dir() { 0 } else { is.size() });
            listing.insert(name, format!("{mode:o} {uid}:{gid} {mtime} {size} {content}"));
        }
    }
    listing
}

/// A root filesystem with all that an ordinary user can make, and `lib` in `usr`.
fn root() -> tempfile::TempDir {
    let directory = demanding_tree();
    let path = directory.path();
    // A cpio archive tells no times before 1970.
    fs::remove_file(path.join("old")).unwrap();
    fs::create_dir_all(path.join("usr/lib")).unwrap();
    symlink("usr/lib", path.join("lib")).unwrap();
    fs::write(path.join("usr/lib/libc.so"), b"library").unwrap();
    directory
}

/// A tar with modules, files with several names and a pipe, made by GNU tar.
fn modules() -> (tempfile::TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        mkdir -p lib/modules/6.1/kernel
        yes 'a module' | head -c 300000 > lib/modules/6.1/kernel/usb.ko
        ln lib/modules/6.1/kernel/usb.ko lib/modules/6.1/again.ko
        ln -s /usr/src/linux lib/modules/6.1/build
        mkfifo -m 600 lib/modules/6.1/pipe
        truncate -s 100000 lib/modules/6.1/holes
        printf end >> lib/modules/6.1/holes
        printf new > lib/libc.so
        chmod 750 lib/modules
        tar --create --sparse --numeric-owner ./lib
    ";
    let tar = shell(script, directory.path(), b"");
    (directory, tar)
}

const INIT: Meta = Meta { mode: 0o755, uid: 0, gid: 0, mtime: 1_000_000 };

/// Puts the modules and one file into a RAM disk.
fn add(ramdisk: &mut Ramdisk, tar: &Path) {
    ramdisk.unpack(&Arc::new(Lower::from_tar(tar).unwrap()), "/").unwrap();
    ramdisk.put_file("lib/deep/init", INIT, b"#!/bin/sh\n".to_vec()).unwrap();
}

/// The same, done to real files by real programs.
const ADD: &str = "
    tar --extract --keep-directory-symlink --preserve-permissions --numeric-owner --file ../modules.tar
    umask 022
    mkdir usr/lib/deep
    printf '#!/bin/sh\n' > usr/lib/deep/init
    chmod 755 usr/lib/deep/init
    touch --date @1000000 usr/lib/deep/init
";

#[test]
fn cpio_unpacks_in_every_packing_the_tree_that_tar_would_have_made() {
    let (_made, tar) = modules();
    for packer in PACKERS {
        let (root, scratch) = (root(), tempfile::tempdir().unwrap());
        let path = |name: &str| scratch.path().join(name);
        fs::write(path("modules.tar"), &tar).unwrap();
        let archive = "find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc";
        let image = shell(&format!("{archive} | {packer}"), root.path(), b"");
        fs::write(path("initrd"), image).unwrap();
        let mut ramdisk = Ramdisk::open(&path("initrd")).unwrap();
        add(&mut ramdisk, &path("modules.tar"));
        ramdisk.write(&path("with")).unwrap();

        fs::create_dir(path("expected")).unwrap();
        let copy = format!("(cd '{}' && {archive}) | cpio --quiet -i -d -m", root.path().display());
        shell(&copy, &path("expected"), b"");
        shell(ADD, &path("expected"), b"");
        let program = packer.split(' ').next().unwrap();
        let unpacker = if program == "cat" { "cat".to_owned() } else { format!("{program} -dc") };
        for (name, cpio) in [("gnu", "cpio --quiet -i -d -m"), ("busybox", "busybox cpio -i -d -m")] {
            fs::create_dir(path(name)).unwrap();
            shell(&format!("{unpacker} < ../with | {cpio}"), &path(name), b"");
            let (is, expected) = (listing(&path(name)), listing(&path("expected")));
            let lines = is.iter().filter(|line| expected.get_key_value(line.0) != Some(*line));
            let wrong: Vec<_> = lines.map(|line| (line, expected.get(line.0))).collect();
            assert!(wrong.is_empty() && is.len() == expected.len(), "{name}, {packer}: {wrong:#?}");
        }
    }
}

#[test]
fn mkimage_reads_what_is_made_and_what_mkimage_makes_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |script: &str| String::from_utf8(shell(script, scratch.path(), b"")).unwrap();
    fs::write(scratch.path().join("data"), b"some data").unwrap();
    for architecture in Architecture::ALL {
        let ramdisk = Header::ramdisk(architecture, "LAVA RAM disk");
        let kernel = Header::kernel(architecture, "LAVA kernel", 0x8000_0000, 0x8000_0040);
        for (kind, addresses, header) in
            [("ramdisk", "", ramdisk), ("kernel", "-a 80000000 -e 80000040", kernel)]
        {
            let name = header.name();
            let made = [&header.for_data(b"some data").unwrap()[..], b"some data"].concat();
            fs::write(scratch.path().join("made"), &made).unwrap();
            let name_of = architecture.name();
            run(&format!(
                "SOURCE_DATE_EPOCH=0 mkimage -A {name_of} -O linux -T {kind} -C none {addresses} -n '{name}' -d data image"
            ));
            let image = fs::read(scratch.path().join("image")).unwrap();
            assert_eq!(Header::parse(&image).unwrap(), (header, &b"some data"[..]), "{kind} of {name_of}");
            assert!(image == made, "{kind} of {name_of}");
            let (ours, theirs) = (run("mkimage -l made"), run("mkimage -l image"));
            assert!(ours.contains(&name) && ours.contains("Data Size:    9 Bytes"), "{ours}");
            assert_eq!(ours, theirs);
        }
    }
}

#[test]
fn a_ram_disk_with_mkimages_header_gets_files_and_another_name() {
    let (root, scratch) = (root(), tempfile::tempdir().unwrap());
    let archive = "find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc | gzip";
    fs::write(scratch.path().join("initrd"), shell(archive, root.path(), b"")).unwrap();
    shell("mkimage -A arm -O linux -T ramdisk -C gzip -n board -d initrd image", scratch.path(), b"");
    let mut ramdisk = Ramdisk::open(&scratch.path().join("image")).unwrap();
    assert_eq!(ramdisk.header().unwrap().name(), "board");
    ramdisk.put_file("new", INIT, b"new".to_vec()).unwrap();
    fs::write(scratch.path().join("with"), written(&ramdisk)).unwrap();
    let listed = String::from_utf8(shell("mkimage -l with", scratch.path(), b"")).unwrap();
    assert!(listed.contains("ARM Linux RAMDisk Image (gzip compressed)"), "{listed}");
    let unpacked =
        shell("tail -c +65 with | gzip -dc | cpio --quiet -i --to-stdout new", scratch.path(), b"");
    assert_eq!(unpacked, b"new");
}
