//! RAM disks made, changed and read again.

mod changes;
mod images;
mod malformed;
mod model;
mod programs;
mod property;

use super::cpio::{Archive, Header, Writer};
use super::{Meta, Ramdisk};

/// A member of an archive that is made: name, header, data.
type Made<'m> = (&'m str, Header, &'m [u8]);

/// A header of root's, with another inode for every name.
fn header(mode: u32, inode: u32) -> Header {
    Header { id: [inode, 0, 0], mode, uid: 0, gid: 0, links: 1, mtime: 5, device: [0, 0] }
}

fn archive(members: &[Made<'_>]) -> Vec<u8> {
    with_sums(members, false)
}

fn with_sums(members: &[Made<'_>], has_sums: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer { out: &mut bytes, has_sums };
    for (name, header, data) in members.iter().chain([&("TRAILER!!!", header(0, 0), &b""[..])]) {
        let sum = data.iter().map(|byte| u32::from(*byte)).sum();
        writer.member(name.as_bytes(), header, (data.len() as u32, sum), |out| out.write_all(data)).unwrap();
    }
    // As `cpio` fills up its blocks.
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The root filesystem of a small Debian, where `lib` is in `usr`.
fn debian() -> Vec<u8> {
    archive(&[
        ("usr", header(0o040_755, 1), b""),
        ("usr/lib", header(0o040_750, 2), b""),
        ("lib", header(0o120_777, 3), b"usr/lib"),
        ("lib/libc.so", header(0o100_755, 4), b"library"),
        ("dev", header(0o040_755, 5), b""),
        ("dev/console", Header { device: [5, 1], ..header(0o020_600, 6) }, b""),
        ("init", header(0o100_755, 7), b"#!/bin/sh\n"),
    ])
}

fn ramdisk(image: &[u8]) -> Ramdisk {
    Ramdisk::parse(image.to_vec()).unwrap()
}

fn written(ramdisk: &Ramdisk) -> Vec<u8> {
    let mut image = Vec::new();
    ramdisk.write_to(&mut image).unwrap();
    image
}

/// What the members of an archive that is not packed say: name, mode, data.
fn members(image: &[u8]) -> Vec<String> {
    let archive = Archive::parse(image).unwrap();
    let shown = archive.members.iter().map(|member| {
        let (name, data) = (&image[member.name.clone()], &image[member.data.clone()]);
        format!("{} {:o} {}", name.escape_ascii(), member.header.mode, data.escape_ascii())
    });
    shown.collect()
}

const FILE: Meta = Meta { mode: 0o640, uid: 10, gid: 20, mtime: 1000 };
