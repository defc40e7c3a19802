//! A log that was damaged after it was written is refused as it is; what a crash leaves of it is not taken for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{find, make_file, root};
use crate::rootfs::layer::check::Repair;
use crate::rootfs::testing::{TarBuilder, killed, new_directory};
use crate::rootfs::{Ino, JournalError, Layer, LayerOptions, Lower, RootfsError};

fn lower() -> Arc<Lower> {
    Arc::new(TarBuilder::new().file("file", b"x").index().unwrap())
}

/// A layer's directory with `files` files, each made by one frame; and where each frame begins, the end of the log last.
fn layer_with(files: usize) -> (Layer, PathBuf, Vec<usize>) {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let length = || usize::try_from(fs::metadata(directory.join("log")).unwrap().len()).unwrap();
    let mut starts = vec![length()];
    for number in 0..files {
        make_file(&layer, Ino::ROOT, &format!("f{number}"), 0o644, &root()).unwrap();
        starts.push(length());
    }
    (layer, directory, starts)
}

/// Opens a copy of the layer whose log `change` has changed.
fn open_changed(
    directory: &Path,
    change: impl FnOnce(&mut Vec<u8>),
) -> (PathBuf, Result<(Layer, Vec<Repair>), RootfsError>) {
    let copy = killed(directory);
    let mut log = fs::read(copy.join("log")).unwrap();
    change(&mut log);
    fs::write(copy.join("log"), &log).unwrap();
    let opened = Layer::open(lower(), copy.clone(), LayerOptions::default());
    (copy, opened)
}

#[test]
fn a_flipped_bit_before_the_last_frame_is_refused_and_nothing_is_touched() {
    let (_layer, directory, starts) = layer_with(4);
    let [_, second, third, .., last, _] = starts[..] else { panic!("{starts:?}") };
    for place in second..third {
        for bit in [0, 7] {
            let mut changed = Vec::new();
            let (copy, opened) = open_changed(&directory, |log| {
                log[place] ^= 1 << bit;
                changed.clone_from(log);
            });
            let error = opened.unwrap_err();
            let RootfsError::Journal(JournalError::Damaged { path, at }) = &error else { panic!("{error}") };
            assert_eq!((path, *at), (&copy.join("log"), second as u64), "byte {place}, bit {bit}");
            assert!(error.to_string().contains(&format!("truncate --size={second} ")), "{error}");
            assert_eq!(fs::read(copy.join("log")).unwrap(), changed);
        }
    }
    // The last frame may have been torn while it was written.
    let (_, opened) = open_changed(&directory, |log| log[last + 9] ^= 1);
    let (layer, repairs) = opened.unwrap();
    assert!(matches!(repairs[..], [Repair::TornLog { .. }]), "{repairs:?}");
    find(&layer, "f2");
}

#[test]
fn a_page_that_a_power_failure_has_lost_ends_the_log_whatever_follows() {
    let (_layer, directory, starts) = layer_with(200);
    let end = *starts.last().unwrap();
    assert!(end > 3 * 4096, "{end}");
    let begun = starts.iter().rposition(|start| *start <= 4096).unwrap();
    for zeros in [4096..8192, starts[begun]..8192] {
        let (_, opened) = open_changed(&directory, |log| log[zeros.clone()].fill(0));
        let (layer, repairs) = opened.unwrap();
        let bytes = (end - starts[begun]) as u64;
        assert_eq!(repairs, [Repair::TornLog { bytes }], "{zeros:?}");
        find(&layer, &format!("f{}", begun - 1));
    }
}
