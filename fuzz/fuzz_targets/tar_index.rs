//! An archive is refused with the place of what is wrong, or its index is sound and all of it can be read.
#![no_main]

use std::sync::Arc;

use host_runner::fuzzing;
use host_runner::rootfs::{Lower, RootfsError};
use host_runner_fuzz::{Scratch, sight};
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;

/// Makes the checksum of every block right that looks like a header: else little would be tried but checksums.
fn with_checksums(archive: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    for block in archive.as_chunks_mut::<BLOCK>().0 {
        if block[257..262] == *b"ustar" {
            let mut header = tar::Header::new_old();
            *header.as_mut_bytes() = *block;
            header.set_cksum();
            *block = *header.as_bytes();
        }
    }
    archive
}

fuzz_target!(|archive: &[u8]| {
    let archive = with_checksums(archive);
    let scratch = Scratch::new();
    match Lower::from_tar(&scratch.file("tar", &archive)) {
        Ok(lower) => {
            assert!(fuzzing::is_sound(&lower));
            sight(&scratch.layer(&Arc::new(lower)));
        }
        Err(RootfsError::Archive { index, .. }) => assert!(index as usize <= archive.len() / BLOCK),
        Err(RootfsError::Member { .. } | RootfsError::Empty { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
});
