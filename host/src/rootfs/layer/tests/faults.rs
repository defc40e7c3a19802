//! A disk that is full or fails: what was told to be done is done, and nothing else shows.

use std::sync::Arc;

use super::{find, make_file, read_all, root};
use crate::rootfs::testing::{TarBuilder, killed, new_directory};
use crate::rootfs::{Durability, FsError, Ino, Layer, LayerOptions, Lower};

const POWER: LayerOptions = LayerOptions { budget: 64 * 4096, durability: Durability::Power };

fn lower() -> Arc<Lower> {
    Arc::new(TarBuilder::new().file("file", &[7; 20_000]).index().unwrap())
}

/// What the layer `directory` shows of `ino` after a kill.
fn after_kill(directory: &std::path::Path, ino: Ino) -> Vec<u8> {
    let (layer, repairs) = Layer::open(lower(), killed(directory), LayerOptions::default()).unwrap();
    assert_eq!(repairs, []);
    read_all(&layer, ino)
}

#[test]
fn a_write_on_a_full_disk_leaves_the_file_as_it_was_and_can_be_repeated() {
    // One block written over, a gap before it and one behind it, both covered in part.
    let (offset, data) = (5_000, vec![9; 11_000]);
    for writes in 0..5 {
        let directory = new_directory();
        let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
        let file = find(&layer, "file").ino;
        layer.write(file, 8_192, &[1; 4_096], &root()).unwrap();
        let mut expected = [vec![7; 8_192], vec![1; 4_096], vec![7; 7_712]].concat();
        let used = layer.usage().used_bytes;

        layer.storage.store.faults.fill_disk(writes, u32::MAX);
        assert_eq!(layer.write(file, offset, &data, &root()), Err(FsError::NoSpace), "{writes}");
        assert_eq!(read_all(&layer, file), expected, "{writes}");
        assert_eq!(layer.usage().used_bytes, used, "{writes}");
        assert_eq!(after_kill(&directory, file), expected, "{writes}");

        layer.storage.store.faults.fill_disk(0, 0);
        layer.write(file, offset, &data, &root()).unwrap();
        expected[5_000..16_000].fill(9);
        // Blocks that were free would go to this one.
        let other = make_file(&layer, Ino::ROOT, "other", 0o644, &root()).unwrap().ino;
        layer.write(other, 0, &[2; 40_960], &root()).unwrap();
        assert_eq!(read_all(&layer, file), expected);
        assert_eq!(after_kill(&directory, file), expected);
    }
}

#[test]
fn a_write_for_which_blocks_must_be_reclaimed_first_is_whole_after_a_kill() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), POWER).unwrap();
    let gone = make_file(&layer, Ino::ROOT, "gone", 0o644, &root()).unwrap().ino;
    layer.write(gone, 0, &[3; 4_096], &root()).unwrap();
    layer.remove(Ino::ROOT, b"gone", &root()).unwrap();
    let file = find(&layer, "file").ino;
    // The disk is full until the blocks of what is gone are given back.
    layer.storage.store.faults.fill_disk(1, 1);
    layer.write(file, 1_000, &[9; 10_000], &root()).unwrap();
    let expected = [vec![7; 1_000], vec![9; 10_000], vec![7; 9_000]].concat();
    assert_eq!(read_all(&layer, file), expected);
    assert_eq!(after_kill(&directory, file), expected);
}
