//! What a board says is the same text wherever reads cut it, its end can be printed, and escape sequences hide little.
#![no_main]

use host_runner::dialog::Scan;
use libfuzzer_sys::fuzz_target;

/// Text of a window that has never been cut is all that was said, in bytes.
const KEPT: usize = 8192;

fn scan(said: &[u8], read: usize) -> Scan {
    let mut scan = Scan::default();
    for part in said.chunks(read) {
        scan.push(part);
    }
    scan
}

fuzz_target!(|said: &[u8]| {
    let said = &said[..said.len().min(KEPT)];
    let whole = scan(said, usize::MAX);
    let pieces = scan(said, 1);
    assert_eq!(whole.pending(), pieces.pending());
    assert_eq!(whole.tail(), pieces.tail());
    assert!(whole.pending().len() <= said.len());
    assert!(whole.tail().chars().all(|character| character == '\n' || !character.is_ascii_control()));
    // The longest sequence that is taken out, and a line is text again.
    let after = [said, &[b'\n'; 300], b"\nlogin: "].concat();
    assert!(scan(&after, 3).pending().ends_with(b"\nlogin: "));
});
