//! A saved index is not believed, or it is sound, all of it can be read, and saved again it is the same.
#![no_main]

use std::sync::{Arc, LazyLock};

use host_runner::rootfs::Lower;
use host_runner_fuzz::{Scratch, Seen, TAR, sight};
use libfuzzer_sys::fuzz_target;

const SHA256: &str = "of the archive";
/// Bytes of the magic in front of the checksum, and of both.
const CHECKSUM: std::ops::Range<usize> = 8..12;

static ARCHIVE: LazyLock<Scratch> = LazyLock::new(Scratch::new);

/// The index and what can be seen through it.
fn load(index: &[u8]) -> Option<(Vec<u8>, Vec<Seen>)> {
    let tar = ARCHIVE.file("archive.tar", &TAR);
    ARCHIVE.file("archive.rootfs-index", index);
    let lower = Arc::new(Lower::from_index(&tar, SHA256)?);
    let layer = Scratch::new();
    Some((lower.to_index(SHA256).expect("no larger than what was read"), sight(&layer.layer(&lower))))
}

fuzz_target!(|index: &[u8]| {
    let mut index = index.to_vec();
    let Some((head, payload)) = index.split_at_mut_checked(CHECKSUM.end) else { return };
    head[CHECKSUM].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    if let Some(loaded) = load(&index) {
        assert_eq!(load(&loaded.0), Some(loaded));
    }
});
