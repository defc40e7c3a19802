use super::{find, layer, make_file, read_all, root, user};
use crate::rootfs::testing::{TarBuilder, new_layer};
use crate::rootfs::{Credential, FsError, Ino, Layer, LayerOptions, Lower, SetAttributes};

#[test]
fn a_write_shows_in_its_layer_and_in_no_other() {
    let lower: std::sync::Arc<Lower> =
        std::sync::Arc::new(TarBuilder::new().file("f", b"lower").index().unwrap());
    let (one, two) = (new_layer(lower.clone()), new_layer(lower));
    let file = find(&one, "f");
    let pair = one.write(file.ino, 3, b"WER and more", &root()).unwrap();
    assert_eq!((pair.before.size, pair.after.size), (5, 15));
    assert!(pair.after.mtime > pair.before.mtime);
    assert_eq!(read_all(&one, file.ino), b"lowWER and more");
    assert_eq!(read_all(&two, file.ino), b"lower");
}

#[test]
fn files_are_cut_and_grow_by_holes() {
    let layer = layer();
    let file = find(&layer, "home/mine").ino;
    let size = |size| SetAttributes { size: Some(size), ..SetAttributes::default() };
    layer.set_attributes(file, &size(2), None, &user(1000)).unwrap();
    layer.set_attributes(file, &size(5), None, &user(1000)).unwrap();
    assert_eq!(read_all(&layer, file), b"mi\0\0\0");
    assert_eq!(layer.set_attributes(file, &size(0), None, &user(1)), Err(FsError::AccessDenied));
    assert_eq!(layer.set_attributes(Ino::ROOT, &size(0), None, &root()), Err(FsError::IsDirectory));
    assert_eq!(layer.set_attributes(file, &size(u64::MAX), None, &root()), Err(FsError::FileTooLarge));
    assert_eq!(layer.write(file, u64::MAX, b"xx", &root()), Err(FsError::FileTooLarge));
    assert_eq!(layer.read(file, u64::MAX, &mut [0; 4], &root()).unwrap().count, 0);
}

#[test]
fn only_a_regular_file_has_data() {
    let layer = layer();
    for object in [Ino::ROOT, find(&layer, "link").ino] {
        assert_eq!(layer.read(object, 0, &mut [0; 4], &root()).unwrap_err(), FsError::Invalid);
        assert_eq!(layer.write(object, 0, b"x", &root()), Err(FsError::Invalid));
        assert_eq!(layer.commit_file(object, &root()), Err(FsError::Invalid));
    }
}

#[test]
fn the_budget_and_the_disk_directory_are_given_back() {
    let place = tempfile::tempdir().unwrap();
    let upper = place.path().join("upper/layer");
    let lower = std::sync::Arc::new(TarBuilder::new().file("f", b"x").index().unwrap());
    let options = LayerOptions { budget: 8192, ..LayerOptions::default() };
    let layer = Layer::new(lower, upper.clone(), options).unwrap();
    let file = make_file(&layer, Ino::ROOT, "big", 0o644, &root()).unwrap().ino;
    layer.write(file, 0, &[1; 8192], &root()).unwrap();
    assert_eq!(layer.write(file, 8192, b"x", &root()), Err(FsError::NoSpace));
    assert_eq!(layer.usage().free_bytes, 0);
    let lower = find(&layer, "f").ino;
    assert_eq!(layer.write(lower, 0, b"y", &root()), Err(FsError::NoSpace));
    assert_eq!(read_all(&layer, lower), b"x");
    // Whoever has run out of space can make some.
    layer.remove(Ino::ROOT, b"big", &root()).unwrap();
    assert_eq!(layer.usage().free_bytes, 8192);
    layer.write(lower, 0, b"y", &root()).unwrap();
    assert_eq!(layer.usage().free_bytes, 4096);
    drop(layer);
    assert!(!upper.exists());
}

#[test]
fn parallel_writers_of_one_file_lose_nothing() {
    let layer = layer();
    let file = find(&layer, "etc/passwd").ino;
    std::thread::scope(|scope| {
        for index in 0..8_u8 {
            let layer = &layer;
            scope.spawn(move || {
                for step in 0..50_u64 {
                    let at = (step * 8 + u64::from(index)) * 1000;
                    layer.write(file, at, &[index + 1; 1000], &Credential::root()).unwrap();
                }
            });
        }
    });
    let mut bytes = vec![0; 400_000];
    assert_eq!(layer.read(file, 0, &mut bytes, &root()).unwrap().count, 400_000);
    for (place, chunk) in bytes.chunks(1000).enumerate() {
        assert!(chunk.iter().all(|byte| usize::from(*byte) == place % 8 + 1), "{place}");
    }
}
