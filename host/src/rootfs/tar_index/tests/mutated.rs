//! Archives with something changed in them: refused or understood, never a panic, never a byte from outside.

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::super::header::BLOCK;
use crate::rootfs::testing::{TarBuilder, index_bytes};
use crate::rootfs::{Ino, Lower};

const BLOCK_SIZE: usize = BLOCK as usize;

fn archive() -> Vec<u8> {
    let sparse: [(&str, &[u8]); 3] =
        [("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"holes"), ("GNU.sparse.realsize", b"9000")];
    let map = [b"2\n0\n512\n8192\n512\n".to_vec(), vec![0; BLOCK_SIZE - 17], vec![b'x'; 1024]].concat();
    let mut device = TarBuilder::header(EntryType::Char, 0o666);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    let mut gnu = TarBuilder::header(EntryType::GNUSparse, 0o644);
    gnu.set_size(512);
    let fields = gnu.as_gnu_mut().unwrap();
    fields.sparse[0].offset = *b"00000002000\0";
    fields.sparse[0].numbytes = *b"00000001000\0";
    fields.realsize = *b"00000003000\0";
    TarBuilder::new()
        .dir("d", 0o755)
        .file("d/file", &[1; 700])
        .hard_link("early", "late")
        .file("late", b"late")
        .symlink("link", "d")
        .file(&format!("link/{}", "n".repeat(150)), b"long")
        .pax(&[("mtime", b"1.5"), ("SCHILY.xattr.user.a", b"b\n")])
        .file("pax", b"pax")
        .pax(&sparse)
        .file("GNUSparseFile.1/holes", &map)
        .raw(b"old-holes", gnu, &[b'y'; 512])
        .raw(b"null", device, b"")
        .bytes()
}

/// Makes the checksum of every block right that looks like a header.
fn repair(bytes: &mut [u8]) {
    for block in bytes.as_chunks_mut::<BLOCK_SIZE>().0 {
        if block[257..262] == *b"ustar" {
            let mut header = Header::new_old();
            *header.as_mut_bytes() = *block;
            header.set_cksum();
            *block = *header.as_bytes();
        }
    }
}

/// Reads beginning and end of every file.
fn read_all(lower: &Lower) {
    for number in 0..lower.inode_count() as u32 {
        let ino = Ino::new(Ino::ROOT.get() + number).unwrap();
        if lower.is_file(ino) {
            let size = lower.size(ino);
            let mut buffer = vec![0; size.min(4096) as usize];
            lower.read(ino, 0, &mut buffer).unwrap();
            lower.read(ino, size - buffer.len() as u64, &mut buffer).unwrap();
        }
    }
}

#[test]
fn the_archive_that_is_changed_is_good() {
    let lower = index_bytes(&archive()).unwrap();
    assert!(lower.is_sound());
    assert_eq!(lower.inode_count(), 10);
    read_all(&lower);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_archive_is_refused_or_sound(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        headers in prop::collection::vec((any::<prop::sample::Index>(), 0..BLOCK_SIZE, any::<u8>()), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bytes = archive();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for (block, at, byte) in headers {
            let block = block.index(bytes.len() / BLOCK_SIZE);
            bytes[block * BLOCK_SIZE + at] = byte;
        }
        repair(&mut bytes);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(lower) = index_bytes(&bytes) {
            prop_assert!(lower.is_sound());
            read_all(&lower);
        }
    }
}
