//! Small artifacts that pass for real ones.

use std::path::Path;
use std::process::Command;

/// Where a zImage has its magic number (Linux, Documentation/arch/arm/booting.rst), in bytes.
pub const ZIMAGE_MAGIC_OFFSET: usize = 0x24;
const ZIMAGE_MAGIC: u32 = 0x016f_2818;

/// A kernel image of a few TFTP blocks; nothing but its magic number is right.
pub fn zimage() -> Vec<u8> {
    let mut image: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
    image[ZIMAGE_MAGIC_OFFSET..ZIMAGE_MAGIC_OFFSET + 4].copy_from_slice(&ZIMAGE_MAGIC.to_le_bytes());
    image
}

/// A device tree blob of which only the header's magic number is right.
pub(super) fn device_tree() -> Vec<u8> {
    [&0xd00d_feed_u32.to_be_bytes()[..], &[0; 1020]].concat()
}

/// A tar of files: path, permission bits, content.
///
/// # Panics
/// When a path is none that a tar can have.
pub fn tar_of<C: AsRef<[u8]>>(files: &[(&str, u32, C)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, mode, content) in files {
        let content = content.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content).expect("a path that a tar can have");
    }
    tar.into_inner().expect("memory takes it")
}

/// A tar of a small Debian-like root filesystem with the SSH host keys in `keys`, file name and content.
///
/// # Panics
/// Never: it is written into memory.
pub fn rootfs_tar(keys: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content).expect("memory takes it");
    };
    for directory in ["bin/", "dev/", "etc/", "etc/ssh/", "proc/", "sys/", "usr/", "usr/bin/", "var/"] {
        add(directory, tar::EntryType::Directory, 0o755, &[]);
    }
    add("root/", tar::EntryType::Directory, 0o700, &[]);
    add("tmp/", tar::EntryType::Directory, 0o1777, &[]);
    add("bin/sh", tar::EntryType::Regular, 0o755, b"#!/bin/false\n");
    add("etc/hostname", tar::EntryType::Regular, 0o644, b"debian\n");
    add("etc/os-release", tar::EntryType::Regular, 0o644, b"ID=debian\nVERSION_ID=\"12\"\n");
    for (name, content) in keys {
        let mode = if name.ends_with(".pub") { 0o644 } else { 0o600 };
        add(&format!("etc/ssh/{name}"), tar::EntryType::Regular, mode, content);
    }
    tar.into_inner().expect("memory takes it")
}

/// Makes an SSH host key in `directory` and returns its two files, name and content.
///
/// # Panics
/// When `ssh-keygen` does not run: OpenSSH's client is required by these tests.
pub(super) fn host_key(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let name = "ssh_host_ed25519_key";
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "root@debian", "-f"])
        .arg(directory.join(name))
        .status()
        .expect("ssh-keygen runs (Debian package openssh-client)");
    assert!(status.success(), "ssh-keygen: {status}");
    [name.to_owned(), format!("{name}.pub")]
        .map(|name| {
            let content = std::fs::read(directory.join(&name)).expect("ssh-keygen wrote it");
            (name, content)
        })
        .into()
}
