//! `deploy` blocks.

mod artifact;
mod tftp;

pub(super) use artifact::{compression, headers, url as artifact_url};

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean, meant, nearest};
use crate::document::{Fields, Reader};
use crate::job::model::{BlockKind, DeploySsh};
use crate::job::part::Owner;

/// The supported ways to deploy.
const WAYS: [(&str, Owner); 2] = [("tftp", Owner::DeployTftp), ("ssh", Owner::DeploySsh)];

/// What is supported, for messages.
const SUPPORTED: &str = "supported are `tftp` and `ssh`";

/// LAVA's other ways to deploy.
const UNSUPPORTED: [&str; 31] = [
    "avh",
    "docker",
    "download",
    "downloads",
    "fastboot",
    "fastboot-ftp",
    "flasher",
    "fvp",
    "image",
    "iso-installer",
    "isoinstaller",
    "lxc",
    "mps",
    "musca",
    "nbd",
    "nfs",
    "overlay",
    "qdl",
    "recovery",
    "removable",
    "removeable",
    "sata",
    "sd",
    "ssd",
    "tmpfs",
    "u-boot-ums",
    "usb",
    "usbg-ms",
    "uuu",
    "vemsd",
    "vexpress",
];

/// What kind of deployment it is; others are reported, and one that is misspelt is taken as it was meant.
pub(crate) fn owner(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Owner> {
    let node = fields.require(reader, "to")?;
    let to = reader.string(node, "to")?;
    let of = |name: &str| WAYS.iter().find(|(known, _)| *known == name).map(|&(_, owner)| owner);
    if let Some(owner) = of(&to) {
        return Some(owner);
    }
    if UNSUPPORTED.contains(&to.as_str()) {
        let message = format!("`deploy: to: {to}` is not supported");
        let help = match to.as_str() {
            "nfs" => "did you mean a `deploy` with `to: tftp` and an `nfsrootfs`?",
            "overlay" => "leave this deployment out: the tests come over the console by themselves",
            _ => SUPPORTED,
        };
        reader.report(Diagnostic::error(Code::UnsupportedDeploy, node.span, message).with_help(help));
        return None;
    }
    let near = nearest(&to, WAYS.map(|(name, _)| name));
    let message = format!("`deploy` knows no `to: {to}`");
    let problem = Diagnostic::error(Code::UnknownDeploy, node.span, message);
    reader.report(problem.with_help(meant(near, SUPPORTED)));
    near.and_then(of)
}

/// Reads a `deploy` block of the kind `owner`.
pub(crate) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, owner: Owner) -> BlockKind {
    if owner == Owner::DeployTftp {
        return BlockKind::DeployTftp(Box::new(tftp::read(reader, fields)));
    }
    // An older form that says what `to` says already.
    fields.accept(&["connection"]);
    fields.ignore(reader, &["prompts"]);
    let help = "an SSH target gets the tests and nothing else";
    fields.refuse(reader, &["firmware", "kernel", "dtb", "rootfs", "modules"], help);
    BlockKind::DeploySsh(DeploySsh { os: os(reader, fields) })
}

fn os(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = fields.get("os")?;
    let os = reader.non_empty(node, "os")?;
    check_distribution(reader, &os, node.span, "`os`");
    Some(os)
}

/// Notes a name that is near to that of a distribution and is none: dependencies would not be installed.
pub(in crate::job::check) fn check_distribution(reader: &mut Reader<'_>, name: &str, span: Span, what: &str) {
    const KNOWN: [&str; 10] = [
        "alpine",
        "android",
        "centos",
        "centos_installer",
        "debian",
        "debian_installer",
        "fedora",
        "lede",
        "oe",
        "ubuntu",
    ];
    if KNOWN.contains(&name) {
        return;
    }
    if let Some(help) = did_you_mean(name, KNOWN) {
        let message = format!("{what} names no distribution that is known: `{name}`");
        reader.report(Diagnostic::warning(Code::UnknownValue, span, message).with_help(help));
    }
}
