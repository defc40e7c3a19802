//! Whatever a log says under right checksums: it is refused, or a whole tree comes of it that needs no repair any more.
#![no_main]

use std::fs;

use host_runner_fuzz::{LOWER, Scratch, pieces, sight};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| {
    let scratch = Scratch::new();
    drop(scratch.layer(&LOWER));
    let path = scratch.directory().join("log");
    // Its header.
    let mut log = fs::read(&path).expect("a log");
    for payload in pieces(frames) {
        log.extend((payload.len() as u32).to_le_bytes());
        log.extend(crc32fast::hash(payload).to_le_bytes());
        log.extend(payload);
    }
    fs::write(&path, &log).expect("a log");
    let Ok((layer, _)) = scratch.open(&LOWER) else { return };
    let repaired = sight(&layer);
    drop(layer);
    let (layer, repairs) = scratch.open(&LOWER).expect("what was opened once can be opened again");
    assert_eq!((sight(&layer), repairs), (repaired, vec![]));
});
