//! `deploy` blocks with `to: tftp`.

use std::net::IpAddr;

use super::artifact::{self, ArtifactKeys};
use super::os;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{
    ArtifactSpec, BootImage, DeployTftp, Located, PersistentNfs, RamdiskSpec, RootfsSpec,
};

/// Most overlays for a device tree, and most extra files.
const MAX_FILES: usize = 64;

/// Reads the block.
pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> DeployTftp {
    // `overlay_backend` says how LAVA brings its overlay onto its own server.
    fields.accept(&["connection", "overlay_backend"]);
    fields.refuse(reader, &["overlays"], "overlays can be part of `nfsrootfs` and `ramdisk`");
    // Of LAVA's `mkimage`, which is not needed here.
    fields.ignore(reader, &["parameters"]);
    fields.mistaken(reader, "rootfs", "did you mean `nfsrootfs`?");
    fields.mistaken(reader, "nfs_url", "write `persistent_nfs: { address: \"10.3.1.1:/srv/nfs/rootfs\" }`");
    let kernel = fields.get("kernel").and_then(|node| kernel(reader, node));
    let dtb = plain(reader, fields, "dtb");
    let dtbo = fields.get("dtbo").map(|node| dtbo(reader, node)).unwrap_or_default();
    let tee = plain(reader, fields, "tee");
    let preseed = plain(reader, fields, "preseed");
    let (ramdisk_node, rootfs_node) =
        (fields.get_misspelt(reader, "ramdisk"), fields.get_misspelt(reader, "nfsrootfs"));
    let ramdisk = ramdisk_node.and_then(|node| ramdisk(reader, node));
    let rootfs = rootfs_node.and_then(|node| rootfs(reader, node));
    let persistent_nfs = fields.get("persistent_nfs").and_then(|node| persistent_nfs(reader, node));
    if fields.get("nfsrootfs").is_some() && fields.get("persistent_nfs").is_some() {
        let span = fields.key_span("persistent_nfs").unwrap_or(fields.span);
        let message = "`nfsrootfs` and `persistent_nfs` exclude each other";
        let other = fields.key_span("nfsrootfs").unwrap_or(fields.span);
        reader
            .report(Diagnostic::error(Code::ExclusiveKeys, span, message).with_label(other, "the other one"));
    }
    let has_place = ramdisk_node.is_some() || rootfs_node.is_some();
    let modules = modules(reader, fields, has_place);
    let extra_files = fields.get("extra_files").map(|node| extra_files(reader, node)).unwrap_or_default();
    let authorize = fields.get_misspelt(reader, "authorize");
    match authorize {
        Some(node) => drop(reader.choice(node, "authorize", &[("ssh", ())])),
        None if fields.is_written("authorize") => drop(fields.require(reader, "authorize")),
        None => {}
    }
    // One that cannot be read was told of.
    let authorize_ssh = authorize.is_some() || fields.is_written("authorize");
    if authorize_ssh && rootfs_node.is_none() && !fields.is_written("nfsrootfs") {
        let span = fields.key_span("authorize").unwrap_or(fields.span);
        let problem = Diagnostic::error(Code::MissingKey, span, "`authorize: ssh` needs an `nfsrootfs`");
        reader.report(problem.with_help("the keys of those who log in are written into it"));
    }
    let os = os(reader, fields);
    let (kernel, kernel_type) = kernel.unzip();
    DeployTftp {
        kernel,
        kernel_type: kernel_type.flatten(),
        dtb,
        dtbo,
        tee,
        preseed,
        ramdisk,
        rootfs,
        persistent_nfs,
        modules,
        extra_files,
        authorize_ssh,
        os,
    }
}

fn artifact(reader: &mut Reader<'_>, node: &Node, what: &'static str) -> Option<ArtifactSpec> {
    artifact::read(reader, node, what, None, |_, _| ()).map(|keys| keys.artifact)
}

fn plain(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &'static str) -> Option<ArtifactSpec> {
    artifact(reader, fields.get(key)?, key)
}

fn dtbo(reader: &mut Reader<'_>, node: &Node) -> Vec<ArtifactSpec> {
    let items = reader.list(node, |reader, item| artifact(reader, item, "dtbo"));
    check_number(reader, node, "dtbo", items.len());
    items
}

fn extra_files(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, ArtifactSpec)> {
    let Some(fields) = reader.fields(node, "extra_files") else { return Vec::new() };
    let mut files = Vec::new();
    for (name, node) in fields.rest() {
        let span = fields.key_span(name).unwrap_or(fields.span);
        // The name is what the board asks for by TFTP.
        reader.check_name(name, span, "file");
        files.extend(artifact(reader, node, "extra_files").map(|file| (name.to_owned(), file)));
    }
    check_number(reader, node, "extra_files", files.len());
    files
}

fn check_number(reader: &mut Reader<'_>, node: &Node, what: &str, number: usize) {
    if number > MAX_FILES {
        let message = format!("`{what}` has {number} files; {MAX_FILES} are allowed");
        reader.report(Diagnostic::error(Code::OutOfRange, node.span, message));
    }
}

fn kernel(reader: &mut Reader<'_>, node: &Node) -> Option<(ArtifactSpec, Option<BootImage>)> {
    let keys = artifact::read(reader, node, "kernel", None, |reader, fields| {
        let node = fields.get("type")?;
        let text = match &node.value {
            Value::Text(text) => text.as_str(),
            _ => "",
        };
        if matches!(text, "bootz" | "booti" | "bootm") {
            let message = format!("`type` of `kernel` is the kind of image, not `{text}`");
            let help = "write `zimage` for bootz, `image` for booti, `uimage` for bootm";
            reader.report(Diagnostic::error(Code::UnknownValue, node.span, message).with_help(help));
            return None;
        }
        reader.choice(node, "type", &BootImage::NAMES)
    })?;
    Some((keys.artifact, keys.extra))
}

/// What only RAM disks have.
#[derive(Default)]
struct RamdiskKeys {
    /// `header: u-boot`.
    has_header: bool,
    takes_modules: bool,
    takes_overlay: Option<bool>,
}

fn ramdisk(reader: &mut Reader<'_>, node: &Node) -> Option<RamdiskSpec> {
    let ArtifactKeys { artifact, overlays, takes_lava, extra } =
        artifact::read(reader, node, "ramdisk", Some("cpio.newc"), |reader, fields| {
            // What `header` was called before.
            fields.ignore(reader, &["add-header"]);
            let header = fields.get("header");
            let header = header.and_then(|node| reader.choice(node, "header", &[("u-boot", ())]));
            RamdiskKeys {
                has_header: header.is_some(),
                takes_modules: flag(reader, fields, "install_modules").unwrap_or(true),
                takes_overlay: flag(reader, fields, "install_overlay"),
            }
        })?;
    Some(RamdiskSpec {
        // The kernel undoes it.
        artifact: ArtifactSpec { compression: None, ..artifact },
        has_header: extra.has_header,
        takes_modules: extra.takes_modules,
        takes_overlay: extra.takes_overlay.or(takes_lava).unwrap_or(true),
        overlays,
    })
}

/// What only root filesystems have.
#[derive(Default)]
struct RootfsKeys {
    prefix: Option<String>,
    persistent: Option<Located<String>>,
    takes_modules: bool,
    takes_overlay: Option<bool>,
}

/// A root filesystem: always a tar, whether or not `archive` says so.
fn rootfs(reader: &mut Reader<'_>, node: &Node) -> Option<RootfsSpec> {
    let ArtifactKeys { artifact, overlays, takes_lava, extra } =
        artifact::read(reader, node, "nfsrootfs", Some("tar"), rootfs_keys)?;
    Some(RootfsSpec {
        artifact: ArtifactSpec { in_tar: false, ..artifact },
        prefix: extra.prefix,
        persistent: extra.persistent,
        takes_modules: extra.takes_modules,
        takes_overlay: extra.takes_overlay.or(takes_lava).unwrap_or(true),
        overlays,
    })
}

fn rootfs_keys(reader: &mut Reader<'_>, fields: &Fields<'_>) -> RootfsKeys {
    // What `install_overlay` is called in some templates, where it does nothing.
    fields.ignore(reader, &["apply-overlay"]);
    if let (Some(persistent), Some(prefix)) = (fields.key_span("persistent"), fields.key_span("prefix")) {
        let message = "`prefix` and `persistent` exclude each other";
        let problem = Diagnostic::error(Code::ExclusiveKeys, persistent, message);
        reader.report(problem.with_label(prefix, "the other one"));
    }
    RootfsKeys {
        prefix: prefix(reader, fields),
        persistent: persistent(reader, fields),
        takes_modules: flag(reader, fields, "install_modules").unwrap_or(true),
        takes_overlay: flag(reader, fields, "install_overlay"),
    }
}

fn flag(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &'static str) -> Option<bool> {
    fields.get(key).and_then(|node| reader.boolean(node, key))
}

/// `prefix`: LAVA wants a relative path with `/` at its end; without the latter it means the same here.
fn prefix(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = fields.get("prefix")?;
    let text = reader.non_empty(node, "prefix")?;
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        let message = "`prefix` must be a relative path without `..`";
        let help = "it is the directory in the tar that is the root, such as `jessie/`";
        reader.report(Diagnostic::error(Code::InvalidPath, node.span, message).with_help(help));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned()).filter(|prefix| !prefix.is_empty() && prefix != ".")
}

fn persistent(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Located<String>> {
    let node = fields.get("persistent")?;
    let name = reader.non_empty(node, "persistent")?;
    let valid = reader.check_name(&name, node.span, "persistent root filesystem");
    valid.then_some(Located { value: name, span: node.span })
}

/// `persistent_nfs`: `address` is `SERVER:PATH`.
fn persistent_nfs(reader: &mut Reader<'_>, node: &Node) -> Option<PersistentNfs> {
    let fields = reader.fields(node, "persistent_nfs")?;
    let address = fields.require(reader, "address");
    // Nothing is written into somebody else's root filesystem: the tests come over the console.
    fields.accept(&["install_overlay"]);
    fields.finish(reader);
    let node = address?;
    let text = reader.string(node, "address")?;
    let parts = text.split_once(":/").and_then(|(server, path)| {
        let server = server.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?;
        Some(PersistentNfs { server, path: format!("/{path}") })
    });
    if parts.is_none() {
        let message = format!("`{text}` is not an NFS server's address and a path");
        let help = "write it as `10.3.1.1:/srv/nfs/rootfs`";
        reader.report(Diagnostic::error(Code::InvalidAddress, node.span, message).with_help(help));
    }
    parts
}

/// Kernel modules: a tar that is unpacked over root filesystem and RAM disk, as far as these take it.
fn modules(reader: &mut Reader<'_>, fields: &Fields<'_>, has_place: bool) -> Option<ArtifactSpec> {
    let modules = artifact(reader, fields.get("modules")?, "modules");
    if !has_place {
        let span = fields.key_span("modules").unwrap_or(fields.span);
        let message = "`modules` have nowhere to go";
        let help = "they are unpacked over the `nfsrootfs` and the `ramdisk`, and there is none";
        reader.report(Diagnostic::error(Code::MissingKey, span, message).with_help(help));
    }
    modules.map(|artifact| ArtifactSpec { in_tar: false, ..artifact })
}
