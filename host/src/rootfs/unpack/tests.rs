use std::path::Path;

use tar::EntryType;

use super::*;
use crate::rootfs::testing::{TarBuilder, index_bytes, layer_of, new_directory};
use crate::rootfs::{Attributes, LayerOptions};

const MODULE: &str = "lib/modules/6.1/kernel/drivers/usb.ko";

/// A root filesystem where `lib` is in `usr`, as Debian has it.
fn merged() -> TarBuilder {
    TarBuilder::new()
        .dir("usr/lib", 0o755)
        .file("usr/lib/libc.so", b"library")
        .symlink("lib", "usr/lib")
        .file("etc/hostname", b"board\n")
}

fn modules(file: &[u8]) -> TarBuilder {
    TarBuilder::new()
        .dir("lib", 0o700)
        .dir("lib/modules/6.1", 0o750)
        .file_as(MODULE, 0o640, 1000, file)
        .hard_link("lib/modules/6.1/kernel/copy.ko", MODULE)
        .symlink("lib/modules/6.1/build", "/usr/src/linux")
        .raw(b"lib/modules/6.1/pipe", TarBuilder::header(EntryType::Fifo, 0o600), b"")
}

fn unpack(layer: &Layer, archive: TarBuilder) -> Result<(), OverlayError> {
    layer.unpack(&archive.index().unwrap())
}

fn find(layer: &Layer, path: &str) -> Attributes {
    layer.find(Path::new(path)).unwrap()
}

fn read(layer: &Layer, path: &str) -> Vec<u8> {
    layer.read_file(path, 10 << 20).unwrap().unwrap()
}

#[test]
fn modules_land_where_the_link_leads_with_owner_mode_and_time() {
    let layer = layer_of(merged());
    let before = find(&layer, "/usr/lib");
    let file: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    unpack(&layer, modules(&file)).unwrap();

    assert_eq!(read(&layer, &format!("/usr/{MODULE}")), file);
    let module = find(&layer, &format!("/{MODULE}"));
    assert_eq!((module.mode, module.uid, module.gid, module.nlink), (0o640, 1000, 1000, 2));
    assert_eq!(module.mtime.seconds, 1_000_000);
    assert_eq!(find(&layer, "/lib/modules/6.1/kernel/copy.ko").ino, module.ino);
    assert_eq!(find(&layer, "/lib/modules/6.1").mode, 0o750);
    assert_eq!(find(&layer, "/lib/modules/6.1/pipe").kind, Kind::Fifo);
    let kernel = find(&layer, "/lib/modules/6.1").ino;
    let build = layer.lookup(kernel, b"build", &Credential::root()).unwrap();
    assert_eq!(layer.read_link(build.ino).unwrap().0, b"/usr/src/linux");
    // What was there stays as it was.
    let after = find(&layer, "/usr/lib");
    assert_eq!((after.ino, after.mode, after.uid), (before.ino, before.mode, before.uid));
    let lib = layer.lookup(Ino::ROOT, b"lib", &Credential::root()).unwrap();
    assert_eq!(lib.kind, Kind::Symlink);
    assert_eq!(read(&layer, "/lib/libc.so"), b"library");
}

#[test]
fn what_is_in_the_way_of_a_file_goes_and_unpacking_twice_is_unpacking_once() {
    let layer = layer_of(merged().file("usr/lib/modules", b"no directory"));
    unpack(&layer, modules(b"one")).unwrap();
    unpack(&layer, modules(b"two, and more")).unwrap();
    assert_eq!(read(&layer, &format!("/{MODULE}")), b"two, and more");
    assert_eq!(find(&layer, &format!("/{MODULE}")).nlink, 2);
    let error = unpack(&layer, TarBuilder::new().file("etc", b"")).unwrap_err();
    assert_eq!((error.source, error.path.as_path()), (FsError::IsDirectory, Path::new("/etc")));
}

#[test]
fn a_link_never_leads_out_of_the_layer_and_one_to_nothing_is_filled() {
    let layer = layer_of(TarBuilder::new().symlink("lib", "../../../../usr/lib"));
    unpack(&layer, modules(b"module")).unwrap();
    assert_eq!(read(&layer, &format!("/usr/{MODULE}")), b"module");
    let layer = layer_of(TarBuilder::new().symlink("lib", "lib"));
    let error = unpack(&layer, modules(b"module")).unwrap_err();
    assert_eq!(error.to_string(), "cannot unpack /lib in the root filesystem");
    assert_eq!(error.source, FsError::Loop);
}

#[test]
fn holes_cost_nothing_and_the_budget_is_kept() {
    let options = LayerOptions { budget: 1 << 20, ..LayerOptions::default() };
    let lower = std::sync::Arc::new(merged().index().unwrap());
    let layer = Layer::new(lower, new_directory(), options).unwrap();
    let mut file = vec![0; 4 << 20];
    file[2_000_000] = 7;
    unpack(&layer, modules(&file)).unwrap();
    assert_eq!(read(&layer, &format!("/{MODULE}")), file);
    let error = unpack(&layer, TarBuilder::new().file("lib/big.ko", &vec![1; 2 << 20])).unwrap_err();
    assert_eq!((error.source, error.path.as_path()), (FsError::NoSpace, Path::new("/lib/big.ko")));
}

#[test]
fn a_hole_of_a_tebibyte_is_passed_over() {
    let source = layer_of(TarBuilder::new().dir("lib", 0o755));
    let big = SetAttributes { size: Some(1 << 40), ..SetAttributes::with_mode(0o644) };
    let root = Credential::root();
    let file = source.create(Ino::ROOT, b"big", CreateMode::Guarded(big), &root).unwrap().object;
    source.write(file.ino, 7 << 35, b"far", &root).unwrap();
    let mut tar = Vec::new();
    source.export_tar(&mut tar).unwrap();
    let layer = layer_of(merged());
    layer.unpack(&index_bytes(&tar).unwrap()).unwrap();
    let file = layer.lookup(Ino::ROOT, b"big", &root).unwrap();
    assert_eq!((file.size, file.used), (1 << 40, 4096));
    let (mut data, reading) = ([0; 3], layer.begin_read(file.ino, 7 << 35, 3, &root).unwrap());
    reading.read(&mut data).unwrap();
    assert_eq!(&data, b"far");
}
