//! `deploy` blocks.

use super::timeout::JobTimeouts;
use super::{artifact, protocol};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{ArtifactSpec, BlockKind, BootImage, DeploySsh, DeployTftp, Located, Timeouts};
use crate::job::part::{Owner, Part};

/// LAVA's other ways to deploy.
const UNSUPPORTED: [&str; 24] = [
    "avh",
    "docker",
    "download",
    "downloads",
    "fastboot",
    "fastboot-ftp",
    "flasher",
    "fvp",
    "iso-installer",
    "isoinstaller",
    "lxc",
    "mps",
    "musca",
    "nbd",
    "nfs",
    "overlay",
    "recovery",
    "removeable",
    "sata",
    "sd",
    "tmpfs",
    "usb",
    "uuu",
    "vemsd",
];

/// Reads a `deploy` block.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    timeouts: &JobTimeouts,
) -> Option<(BlockKind, Timeouts)> {
    let to_node = fields.require(reader, "to")?;
    let to = reader.string(to_node, "to")?;
    match to.as_str() {
        "tftp" => {
            let timeouts = timeouts.of_block(reader, fields, Owner::DeployTftp);
            Some((BlockKind::DeployTftp(Box::new(tftp(reader, fields)?)), timeouts))
        }
        "ssh" => {
            let timeouts = timeouts.of_block(reader, fields, Owner::DeploySsh);
            Some((BlockKind::DeploySsh(ssh(reader, fields, &timeouts)), timeouts))
        }
        _ => {
            let problem = if UNSUPPORTED.contains(&to.as_str()) {
                let message = format!("`deploy: to: {to}` is not supported");
                Diagnostic::error("unsupported-deploy", to_node.span, message)
                    .with_help("supported are `tftp` and `ssh`")
            } else {
                let message = format!("`deploy` knows no `to: {to}`");
                Diagnostic::error("unknown-deploy", to_node.span, message)
                    .with_optional_help(did_you_mean(&to, ["tftp", "ssh"]))
            };
            reader.report(problem);
            None
        }
    }
}

fn tftp(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<DeployTftp> {
    fields.accept(&["connection"]);
    fields.refuse(
        reader,
        &["dtbo", "extra_files", "overlay_backend", "overlays", "persistent_nfs", "preseed", "tee"],
    );
    fields.ignore(reader, &["failure_retry", "failure_retry_interval"]);
    protocol::refuse_calls(reader, fields);
    let kernel = fields.require(reader, "kernel").and_then(|node| kernel(reader, node));
    let dtb = plain(reader, fields, "dtb");
    let ramdisk = fields.get("ramdisk").and_then(|node| ramdisk(reader, node));
    let nfsrootfs = fields.get("nfsrootfs").and_then(|node| rootfs(reader, node));
    let takes_modules = (
        nfsrootfs.as_ref().map(|(_, keys)| keys.takes_modules),
        ramdisk.as_ref().map(|(_, keys)| keys.takes_modules),
    );
    let modules = modules(reader, fields, takes_modules);
    let authorize_ssh =
        fields.get("authorize").and_then(|node| reader.choice(node, "authorize", &[("ssh", ())])).is_some();
    let os = os(reader, fields);
    fields.finish(reader);
    let (kernel, kernel_type) = kernel?;
    let (ramdisk, ramdisk_keys) = ramdisk.unzip();
    let (nfsrootfs, rootfs_keys) = nfsrootfs.unzip();
    Some(DeployTftp {
        kernel,
        kernel_type,
        dtb,
        ramdisk,
        ramdisk_has_header: ramdisk_keys.is_some_and(|keys| keys.has_header),
        nfsrootfs,
        persistent: rootfs_keys.and_then(|keys| keys.persistent),
        modules,
        authorize_ssh,
        os,
    })
}

fn ssh(reader: &mut Reader<'_>, fields: &Fields<'_>, timeouts: &Timeouts) -> DeploySsh {
    check_connection(reader, fields);
    fields.refuse(reader, &["firmware", "kernel", "dtb", "rootfs", "modules"]);
    fields.ignore(reader, &["failure_retry", "failure_retry_interval"]);
    let os = os(reader, fields);
    let limit = timeouts.part(Part::Request).unwrap_or(&timeouts.total);
    let protocol_calls = protocol::calls(reader, fields, limit);
    fields.finish(reader);
    DeploySsh { os, protocol_calls }
}

/// `connection: ssh`, an older form that says what the role says already.
pub(super) fn check_connection(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    if let Some(node) = fields.get("connection") {
        reader.choice(node, "connection", &[("ssh", ())]);
    }
}

fn os(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    fields.get("os").and_then(|node| reader.non_empty(node, "os"))
}

fn plain(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &'static str) -> Option<ArtifactSpec> {
    artifact::read(reader, fields.get(key)?, key, |reader, fields| fields.refuse(reader, &["archive"]))
        .map(|(artifact, ())| artifact)
}

fn kernel(reader: &mut Reader<'_>, node: &Node) -> Option<(ArtifactSpec, Option<BootImage>)> {
    artifact::read(reader, node, "kernel", |reader, fields| {
        fields.refuse(reader, &["archive"]);
        let node = fields.get("type")?;
        let text = match &node.value {
            Value::Text(text) => text.as_str(),
            _ => "",
        };
        if matches!(text, "bootz" | "booti" | "bootm") {
            let message = format!("`type` of `kernel` is the kind of image, not `{text}`");
            let help = "write `zimage` for bootz, `image` for booti, `uimage` for bootm";
            reader.report(Diagnostic::error("unknown-value", node.span, message).with_help(help));
            return None;
        }
        reader.choice(node, "type", &BootImage::NAMES)
    })
}

/// What only RAM disks have.
#[derive(Default)]
struct RamdiskKeys {
    /// `header: u-boot`.
    has_header: bool,
    takes_modules: bool,
}

/// A RAM disk, and whether it has U-Boot's header.
///
/// It reaches the kernel as it is, as in LAVA: its `compression` tells what is inside, and is not undone.
fn ramdisk(reader: &mut Reader<'_>, node: &Node) -> Option<(ArtifactSpec, RamdiskKeys)> {
    let (artifact, keys) = artifact::read(reader, node, "ramdisk", |reader, fields| {
        fields.refuse(reader, &["archive"]);
        fields.ignore(reader, &["install_overlay"]);
        let header = fields.get("header");
        let header = header.and_then(|node| reader.choice(node, "header", &[("u-boot", ())]));
        RamdiskKeys { has_header: header.is_some(), takes_modules: install_modules(reader, fields) }
    })?;
    Some((ArtifactSpec { compression: None, ..artifact }, keys))
}

/// What only root filesystems have.
#[derive(Default)]
struct RootfsKeys {
    /// Its name, if it is to outlive the job: an extension of ours.
    persistent: Option<Located<String>>,
    takes_modules: bool,
}

/// A root filesystem: always a tar.
fn rootfs(reader: &mut Reader<'_>, node: &Node) -> Option<(ArtifactSpec, RootfsKeys)> {
    artifact::read(reader, node, "nfsrootfs", |reader, fields| {
        fields.ignore(reader, &["install_overlay"]);
        fields.refuse(reader, &["prefix"]);
        archive(reader, fields);
        RootfsKeys { persistent: persistent(reader, fields), takes_modules: install_modules(reader, fields) }
    })
}

/// `archive` of what always is a tar.
fn archive(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    if let Some(node) = fields.get("archive") {
        reader.choice(node, "archive", &[("tar", ())]);
    }
}

fn persistent(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Located<String>> {
    let node = fields.get("persistent")?;
    let name = reader.non_empty(node, "persistent")?;
    let valid = reader.check_name(&name, node.span, "persistent root filesystem");
    valid.then_some(Located { value: name, span: node.span })
}

fn install_modules(reader: &mut Reader<'_>, fields: &Fields<'_>) -> bool {
    let node = fields.get("install_modules");
    node.and_then(|node| reader.boolean(node, "install_modules")).unwrap_or(true)
}

/// Kernel modules: a tar that is unpacked over the root filesystem, if there is one that takes them.
///
/// LAVA unpacks it into the RAM disk as well, where `install_modules` does not say otherwise.
fn modules(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    (rootfs, ramdisk): (Option<bool>, Option<bool>),
) -> Option<ArtifactSpec> {
    let modules = artifact::read(reader, fields.get("modules")?, "modules", archive);
    let problem = if ramdisk == Some(true) {
        Some(("`modules` cannot be put into a RAM disk", "write `install_modules: false` in `ramdisk`"))
    } else if rootfs.is_none() {
        Some(("`modules` have nowhere to go", "they are unpacked over the `nfsrootfs`, which is missing"))
    } else {
        None
    };
    if let (Some((message, help)), Some(span)) = (problem, fields.key_span("modules")) {
        reader.report(Diagnostic::error("unsupported-key", span, message).with_help(help));
    }
    modules.filter(|_| rootfs == Some(true)).map(|(artifact, ())| artifact)
}
