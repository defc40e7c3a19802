//! What is around the archive: packing, other archives, U-Boot's header.

use super::super::RamdiskError;
use super::super::packing::Packing;
use super::super::uimage::{Architecture, HEADER, Header};
use super::*;
use crate::codec::Codec;

const PACKINGS: [Packing; 6] = [
    Packing::Plain,
    Packing::Stream(Codec::Gzip),
    Packing::Stream(Codec::Bzip2),
    Packing::Stream(Codec::Xz),
    Packing::Stream(Codec::Zstd),
    Packing::Lz4,
];

pub(super) fn pack(packing: Packing, plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    packing.pack(&mut packed, |out| out.write_all(plain)).unwrap();
    packed
}

fn microcode() -> Vec<u8> {
    archive(&[("kernel", header(0o040_755, 1), b""), ("kernel/microcode", header(0o100_644, 2), b"m")])
}

/// The last archive of an image, unpacked.
fn last(image: &[u8]) -> Vec<u8> {
    let Ramdisk { base, .. } = ramdisk(image);
    base.bytes
}

#[test]
fn earlier_archives_and_the_packing_stay_whatever_they_are() {
    for early in PACKINGS {
        for main in PACKINGS {
            // Another file behind one of LZ4 is a part of it.
            if early == Packing::Lz4 && main != Packing::Lz4 {
                continue;
            }
            let before = [pack(early, &microcode()), vec![0; 8]].concat();
            let before = if early == Packing::Lz4 { pack(early, &microcode()) } else { before };
            let mut begin = before.clone();
            if main == Packing::Plain {
                begin.resize(begin.len().next_multiple_of(4), 0);
            }
            let mut ramdisk = ramdisk(&[&*begin, &pack(main, &debian())].concat());
            assert_eq!(ramdisk.packing, main);
            assert_eq!(ramdisk.look("init").unwrap().size, 10, "{early:?}, {main:?}");
            ramdisk.put_file("new", FILE, b"new".to_vec()).unwrap();
            let image = written(&ramdisk);
            if early != Packing::Lz4 {
                assert!(image.starts_with(&begin), "{early:?}, {main:?}");
            }
            assert!(members(&last(&image)).contains(&"new 100640 new".to_owned()), "{early:?}, {main:?}");
        }
    }
}

#[test]
fn of_archives_that_are_packed_together_the_last_one_is_changed() {
    for packing in PACKINGS {
        let mut ramdisk = ramdisk(&pack(packing, &[microcode(), debian()].concat()));
        assert_eq!(ramdisk.look("kernel"), None);
        ramdisk.put_file("new", FILE, b"new".to_vec()).unwrap();
        let image = written(&ramdisk);
        let again = super::ramdisk(&image);
        assert!(again.look("new").is_some() && again.look("init").is_some(), "{packing:?}");
        let early = [again.before, again.packed_before].concat();
        assert_eq!(early, microcode(), "{packing:?}");
    }
}

#[test]
fn what_fills_up_the_last_sector_is_no_data() {
    for packing in PACKINGS {
        let ramdisk = ramdisk(&[pack(packing, &debian()), vec![0; 300]].concat());
        assert!(ramdisk.look("init").is_some(), "{packing:?}");
    }
}

#[test]
fn an_archive_where_the_kernel_finds_none_is_an_error() {
    let image = [microcode(), vec![0; 2], debian()].concat();
    let error = Ramdisk::parse(image).unwrap_err();
    assert_eq!(error.to_string(), "an archive begins at byte 514, which is no multiple of 4 bytes");
}

#[test]
fn u_boots_header_comes_and_goes_as_the_caller_wants() {
    let plain = pack(Packing::Stream(Codec::Gzip), &debian());
    let header = Header::ramdisk(Architecture::Arm64, "LAVA RAM disk");
    let wrapped = [&header.for_data(&plain).unwrap()[..], &plain].concat();
    for input in [&plain, &wrapped] {
        let mut ramdisk = ramdisk(input);
        assert_eq!(ramdisk.header().is_some(), input.len() == wrapped.len());
        ramdisk.set_header(None);
        assert_eq!(written(&ramdisk), plain);
        ramdisk.set_header(Some(header.clone()));
        assert_eq!(written(&ramdisk), wrapped);
        ramdisk.put_file("new", FILE, vec![1; 1000]).unwrap();
        let again = written(&ramdisk);
        let (found, data) = Header::parse(&again).unwrap();
        assert_eq!((found, data.len()), (header.clone(), again.len() - HEADER));
    }
    let kernel = Header::kernel(Architecture::Arm, "kernel", 0x8000, 0x8000).for_data(&plain).unwrap();
    let error = Ramdisk::parse([&kernel[..], &plain].concat()).unwrap_err();
    assert!(matches!(error, RamdiskError::OtherImage), "{error}");
}

#[test]
fn sums_of_the_variant_with_sums_are_those_of_the_bytes() {
    let mut ramdisk = ramdisk(&with_sums(&[("a", header(0o100_644, 1), b"abc")], true));
    ramdisk.put_file("b", FILE, vec![0xff, 0xff, 1]).unwrap();
    let image = written(&ramdisk);
    let sums = |at: usize| String::from_utf8(image[at + 102..at + 110].to_vec()).unwrap();
    let archive = Archive::parse(&image).unwrap();
    assert!(archive.has_sums);
    let all: Vec<String> = archive.members.iter().map(|member| sums(member.whole.start)).collect();
    assert_eq!(all, ["00000126", "000001FF"]);
}

#[test]
fn what_grows_too_large_is_not_written() {
    let mut ramdisk = ramdisk(&debian());
    let half = super::super::packing::MAX_RAMDISK as usize / 2;
    ramdisk.put_file("first", FILE, vec![0; half]).unwrap();
    ramdisk.put_file("second", FILE, vec![0; half]).unwrap();
    let error = ramdisk.write_to(&mut std::io::sink()).unwrap_err();
    assert_eq!(error.to_string(), "it is larger than 1073741824 bytes when unpacked");
}
