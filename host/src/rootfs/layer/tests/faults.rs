//! A disk that is full or fails: what was told to be done is done, and nothing else shows.

use std::sync::Arc;
use std::time::Duration;

use super::{find, make_file, read_all, root};
use crate::rootfs::storage::Storage;
use crate::rootfs::testing::{TarBuilder, killed, new_directory};
use crate::rootfs::{Durability, FsError, Ino, Layer, LayerOptions, Lower, SetAttributes};

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

#[test]
fn after_a_failed_sync_nothing_is_called_stable_and_nothing_changes() {
    for fails in [0, 1] {
        let layer = Layer::new(lower(), new_directory(), POWER).unwrap();
        let gone = make_file(&layer, Ino::ROOT, "gone", 0o644, &root()).unwrap().ino;
        layer.write(gone, 0, &[3; 4_096], &root()).unwrap();
        layer.remove(Ino::ROOT, b"gone", &root()).unwrap();
        let file = find(&layer, "file").ino;
        layer.write(file, 0, b"new", &root()).unwrap();
        let Storage { store, journal, .. } = &*layer.storage;
        [&store.faults, &journal.faults][fails].fail_next_sync();
        assert_eq!(layer.commit(), Err(FsError::Io));
        assert!(store.has_waiting(), "blocks that were let go are not lost");
        // The kernel would say that all is well.
        assert_eq!(layer.commit(), Err(FsError::Io));
        assert_eq!(layer.write(file, 0, b"newer", &root()), Err(FsError::Io));
        assert_eq!(layer.remove(Ino::ROOT, b"file", &root()), Err(FsError::Io));
        assert_eq!(read_all(&layer, file), [b"new".as_slice(), &[7; 19_997]].concat());
        layer.compact();
        assert_eq!(layer.commit(), Err(FsError::Io), "nor after the log was written anew");
        assert_eq!(layer.write(file, 0, b"newer", &root()), Err(FsError::Io));
    }
}

#[test]
fn a_log_whose_directory_cannot_be_synced_is_in_its_place_and_takes_nothing_more() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), POWER).unwrap();
    let file = find(&layer, "file").ino;
    layer.write(file, 0, b"new", &root()).unwrap();
    layer.storage.journal.faults.fail_next_sync();
    layer.compact();
    assert_eq!(layer.write(file, 0, &[8; 20_000], &root()), Err(FsError::Io));
    assert_eq!(make_file(&layer, Ino::ROOT, "more", 0o644, &root()), Err(FsError::Io));
    assert_eq!(after_kill(&directory, file), read_all(&layer, file));
}

#[test]
fn changes_and_looks_do_not_wait_for_a_sync_of_the_log() {
    let layer = Layer::new(lower(), new_directory(), POWER).unwrap();
    let file = find(&layer, "file").ino;
    let faults = &layer.storage.journal.faults;
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let held = faults.hold_syncs();
        let before = faults.syncs();
        let commit = scope.spawn(|| layer.commit());
        while faults.syncs() == before {
            std::thread::yield_now();
        }
        let layer = &layer;
        scope.spawn(move || {
            layer.write(file, 0, b"new", &root()).unwrap();
            done.send(layer.attributes(file).unwrap().size).unwrap();
        });
        let answered = is_done.recv_timeout(Duration::from_secs(60));
        drop(held);
        assert_eq!(answered, Ok(20_000));
        commit.join().unwrap().unwrap();
    });
}

fn size(bytes: u64) -> SetAttributes {
    SetAttributes { size: Some(bytes), ..SetAttributes::default() }
}

#[test]
fn a_cut_that_is_not_in_the_log_takes_nothing() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), POWER).unwrap();
    let file = find(&layer, "file").ino;
    layer.write(file, 0, &[9; 20_000], &root()).unwrap();
    layer.commit().unwrap();
    let upper = Arc::clone(layer.tree().upper_file(file).unwrap().unwrap());
    layer.storage.journal.end();
    assert_eq!(upper.truncate(5_000), Err(FsError::Io));
    assert_eq!(read_all(&layer, file), [9; 20_000]);
    assert_eq!(after_kill(&directory, file), [9; 20_000]);
}

#[test]
fn a_file_that_grows_again_shows_zeros_whatever_failed_when_it_was_cut() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), POWER).unwrap();
    let file = find(&layer, "file").ino;
    layer.write(file, 0, &[9; 20_000], &root()).unwrap();
    layer.storage.store.faults.fill_disk(0, u32::MAX);
    assert_eq!(layer.set_attributes(file, &size(5_000), None, &root()), Err(FsError::Io));
    assert_eq!(read_all(&layer, file), [9; 5_000]);
    // The old data still are behind its end.
    assert_eq!(layer.set_attributes(file, &size(9_000), None, &root()), Err(FsError::Io));
    let (again, _) = Layer::open(lower(), killed(&directory), POWER).unwrap();
    assert_eq!(read_all(&again, file), [9; 5_000]);
    again.set_attributes(file, &size(9_000), None, &root()).unwrap();
    assert_eq!(read_all(&again, file), [vec![9; 5_000], vec![0; 4_000]].concat());
}

#[test]
fn what_a_killed_process_wrote_behind_the_end_does_not_show_when_the_file_grows() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let file = make_file(&layer, Ino::ROOT, "new", 0o644, &root()).unwrap().ino;
    layer.write(file, 0, &[9; 5_000], &root()).unwrap();
    let upper = Arc::clone(layer.tree().upper_file(file).unwrap().unwrap());
    let (_, run) = upper.runs()[0];
    layer.storage.store.write(run.start * 4_096 + 5_000, &[1; 100]).unwrap();
    let (again, _) = Layer::open(lower(), killed(&directory), LayerOptions::default()).unwrap();
    again.set_attributes(file, &size(6_000), None, &root()).unwrap();
    assert_eq!(read_all(&again, file), [vec![9; 5_000], vec![0; 1_000]].concat());
}
