use super::*;
use crate::rootfs::testing::{TarBuilder, layer_of};

fn layer() -> Layer {
    layer_of(
        TarBuilder::new()
            .dir("usr/bin", 0o755)
            .symlink("bin", "usr/bin")
            .dir("etc", 0o755)
            .file("etc/hostname", b"board\n")
            .symlink("etc/outside", "../../../../etc/hostname")
            .symlink("absolute", "/etc/hostname")
            .symlink("loop", "loop")
            .symlink("etc/resolv.conf", "../run/resolv.conf"),
    )
}

#[test]
fn files_are_written_read_and_appended() {
    let layer = layer();
    layer.make_dirs("/lava-1/0/tests", 0o755).unwrap();
    layer.write_file("/lava-1/0/tests/run.sh", 0o755, b"#!/bin/sh\n").unwrap();
    layer.append_file("/lava-1/0/tests/run.sh", 0o600, b"true\n").unwrap();
    assert_eq!(layer.read_file("lava-1/0/tests/run.sh", 100).unwrap().unwrap(), b"#!/bin/sh\ntrue\n");
    let place = layer.place(Path::new("/lava-1/0/tests/run.sh")).unwrap().object.unwrap();
    assert_eq!((place.mode, place.uid, place.gid), (0o755, 0, 0));
    layer.write_file("/lava-1/0/tests/run.sh", 0o700, b"x").unwrap();
    assert_eq!(layer.read_file("/lava-1/0/tests/run.sh", 100).unwrap().unwrap(), b"x");
}

#[test]
fn links_are_followed_inside_the_root_filesystem_only() {
    let layer = layer();
    for path in ["/etc/outside", "absolute", "/../../etc/hostname", "//etc/./hostname"] {
        assert_eq!(layer.read_file(path, 100).unwrap().unwrap(), b"board\n", "{path}");
    }
    layer.write_file("/bin/tool", 0o755, b"tool").unwrap();
    assert_eq!(layer.read_file("/usr/bin/tool", 10).unwrap().unwrap(), b"tool");
    let error = layer.read_file("/loop", 100).unwrap_err();
    assert_eq!(error.source, FsError::Loop);
    assert_eq!(error.to_string(), "cannot read /loop in the root filesystem");
}

#[test]
fn a_dangling_link_is_written_through_once_its_directory_exists() {
    let layer = layer();
    assert_eq!(layer.read_file("/etc/resolv.conf", 10).unwrap(), None);
    assert_eq!(layer.write_file("/etc/resolv.conf", 0o644, b"x").unwrap_err().source, FsError::NotFound);
    layer.make_dirs("run", 0o755).unwrap();
    layer.write_file("/etc/resolv.conf", 0o644, b"x").unwrap();
    assert_eq!(layer.read_file("/run/resolv.conf", 10).unwrap().unwrap(), b"x");
}

#[test]
fn what_is_too_large_or_no_file_is_refused() {
    let layer = layer();
    assert_eq!(layer.read_file("/etc/hostname", 5).unwrap_err().source, FsError::FileTooLarge);
    assert_eq!(layer.write_file("/etc", 0o644, b"").unwrap_err().source, FsError::IsDirectory);
    assert_eq!(layer.write_file("/", 0o644, b"").unwrap_err().source, FsError::IsDirectory);
    assert_eq!(layer.make_dirs("/etc/hostname/x", 0o755).unwrap_err().source, FsError::NotDirectory);
}
