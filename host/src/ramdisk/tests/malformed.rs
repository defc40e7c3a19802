//! Images that are damaged.

use proptest::prelude::*;

use super::super::packing::Packing;
use super::images::pack;
use super::*;
use crate::codec::Codec;

/// Does all that can be done with a RAM disk; an error is as good as none.
fn use_it(image: Vec<u8>) {
    let Ok(mut ramdisk) = Ramdisk::parse(image) else { return };
    let _ = ramdisk.list("usr");
    let _ = ramdisk.put_file("lib/new", FILE, b"new".to_vec());
    let _ = ramdisk.put_file("a", FILE, b"new".to_vec());
    let _ = ramdisk.put_file("lib", FILE, b"new".to_vec());
    let _ = ramdisk.remove("init");
    let mut image = Vec::new();
    ramdisk.write_to(&mut image).unwrap();
    Ramdisk::parse(image).unwrap();
}

fn small() -> Vec<u8> {
    let linked = Header { links: 2, ..header(0o100_644, 9) };
    let image = archive(&[
        ("lib", header(0o120_777, 1), b"usr"),
        ("lib/a", linked, b"a"),
        ("a", linked, b""),
        ("init", header(0o100_644, 2), b"12345"),
    ]);
    let trailer = Archive::parse(&image).unwrap().end;
    image[..trailer].to_vec()
}

#[test]
fn a_ram_disk_that_is_cut_off_anywhere_is_an_error() {
    for packing in [Packing::Plain, Packing::Stream(Codec::Gzip), Packing::Lz4] {
        let image = pack(packing, &small());
        Ramdisk::parse(image.clone()).unwrap();
        for length in 0..image.len() - 3 {
            assert!(Ramdisk::parse(image[..length].to_vec()).is_err(), "{packing:?}, {length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damage_is_an_error_or_something_that_can_be_used(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        digits in prop::collection::vec((0..4_usize, 6..110_usize, prop::sample::select(b"0123789aF".to_vec())), 0..4),
    ) {
        let mut image = small();
        let begins: Vec<usize> =
            Archive::parse(&image).unwrap().members.iter().map(|member| member.whole.start).collect();
        for (at, byte) in changes.into_iter().take(if digits.is_empty() { 8 } else { 1 }) {
            let at = at.index(image.len());
            image[at] = byte;
        }
        for (member, at, digit) in digits {
            image[begins[member] + at] = digit;
        }
        use_it(image);
    }
}

#[test]
fn short_members_that_imply_more_than_there_is_memory_for_are_an_error() {
    let deep = "d/".repeat(1900);
    let names: Vec<String> = (0..1000).map(|number| format!("{number}/{deep}")).collect();
    let members: Vec<Made<'_>> =
        names.iter().map(|name| (name.as_str(), header(0o100_644, 1), &b""[..])).collect();
    let error = Ramdisk::parse(archive(&members)).unwrap_err();
    assert_eq!(error.to_string(), "it has too many files, or too long ways to them");
}
