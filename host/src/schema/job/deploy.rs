//! `deploy` blocks.

use serde_json::Value;

use super::block;
use crate::artifact::Compression;
use crate::job::BootImage;
use crate::job::part::Owner;
use crate::schema::shape::{
    Keys, any_text, anything, boolean, defined, names, one_of, one_or_list, text, word,
};

const NO_EFFECT: &str = "It has no effect here.";

/// The name of a plain file among the schema's definitions.
pub(super) const ARTIFACT: &str = "artifact";

pub(super) fn schema() -> Value {
    one_of([tftp(), ssh()])
}

fn ssh() -> Value {
    block::common(Keys::new(), Owner::DeploySsh)
        .is("to", "ssh", "To a system that is reached over SSH.")
        .may("os", "Its system, such as `debian`.", text())
        .idle(&["connection"], "An older form that says what `to` says already.")
        .schema()
}

fn tftp() -> Value {
    let plain = || defined(ARTIFACT);
    block::common(Keys::new(), Owner::DeployTftp)
        .is("to", "tftp", "U-Boot fetches the files by TFTP; the root filesystem is served by NFS.")
        .may("kernel", "The kernel.", kernel())
        .may("dtb", "The device tree.", plain())
        .may("dtbo", "Overlays for the device tree.", one_or_list(&plain()))
        .may("tee", "The image of a trusted execution environment.", plain())
        .may("preseed", "A preseed file for an installer.", plain())
        .may("ramdisk", "The RAM disk.", ramdisk())
        .may("nfsrootfs", "The root filesystem, a tar.", rootfs())
        .may("persistent_nfs", "A root filesystem that another server serves.", persistent_nfs())
        .may("modules", "Kernel modules, a tar: for the root filesystem and the RAM disk.", plain())
        .may("extra_files", "Further files for TFTP, by their names.", names(&plain()))
        .may("authorize", "Lets secondary connections in.", word(["ssh"]))
        .may("os", "The system that is booted, such as `debian`.", text())
        .idle(&["connection", "overlay_backend"], NO_EFFECT)
        .schema()
}

/// What a file is that has no keys of its own.
pub(super) fn plain_artifact() -> Value {
    artifact().schema()
}

/// The keys that every file has.
fn artifact() -> Keys {
    Keys::new()
        .needs("url", "Where it is: `http://`, `https://`, `scp://` or `file://`.", url())
        .may("compression", "How it is compressed.", compression())
        .may("archive", "It is the first file of a tar.", word(["tar"]))
        .may("headers", "Headers for the server; a value may be the name of a token of the bench.", headers())
        .may("filename", "The name that the board sees.", text())
        .may("md5sum", "Its MD5 sum: 32 hexadecimal digits.", checksum(32))
        .may("sha256sum", "Its SHA-256 sum: 64 hexadecimal digits.", checksum(64))
        .may("sha512sum", "Its SHA-512 sum: 128 hexadecimal digits.", checksum(128))
        .may("use_cache", "`false`: from the URL itself, past the bench's cache and mirrors.", boolean())
}

pub(super) fn headers() -> Value {
    names(&any_text())
}

pub(super) fn url() -> Value {
    let mut url = text();
    url["pattern"] = "^([hH][tT][tT][pP][sS]?|[fF][iI][lL][eE]|[sS][cC][pP])://".into();
    url
}

pub(super) fn compression() -> Value {
    word(Compression::ALL.map(Compression::name))
}

fn checksum(digits: usize) -> Value {
    let mut sum = text();
    sum["pattern"] = format!("^[0-9a-fA-F]{{{digits}}}$").into();
    sum
}

fn kernel() -> Value {
    let images = BootImage::NAMES.map(|(name, _)| name);
    artifact().may("type", "What kind of image it is.", word(images)).schema()
}

/// What a RAM disk and a root filesystem have in common.
fn filesystem(format: &'static str) -> Keys {
    artifact()
        .may("format", "Its format.", word([format]))
        .may("install_modules", "Whether `modules` are put into it.", boolean())
        .may("install_overlay", "Whether the tests are put into it.", boolean())
        .may("overlays", "Files to put into it.", overlays())
}

fn ramdisk() -> Value {
    filesystem("cpio.newc")
        .may("header", "U-Boot's header, which it gets if it has none.", word(["u-boot"]))
        .idle(&["add-header"], "What `header` was called before; it has no effect.")
        .schema()
}

fn rootfs() -> Value {
    filesystem("tar")
        .may("prefix", "The directory in the tar that is the root, such as `jessie/`.", text())
        .may("persistent", "Keeps what the board writes, under this name, for later jobs.", text())
        .schema()
}

fn overlays() -> Value {
    let overlay = artifact()
        .needs("format", "A tar that is unpacked, or a single file.", word(["tar", "file"]))
        .needs("path", "Where it goes.", text());
    let lava = "Whether the tests are put in.";
    Keys::new().may("lava", lava, boolean()).others(overlay.schema()).schema()
}

fn persistent_nfs() -> Value {
    Keys::new()
        .needs("address", "Server and path: `10.3.1.1:/srv/nfs/rootfs`.", text())
        .may("install_overlay", "The tests come over the console, whatever stands here.", anything())
        .schema()
}
