//! Debian's kernel for armv7 boards, unpacked and not installed: the image, device trees, the modules for the initrd.

use std::fs;
use std::process::Command;

use super::modules;
use super::prepare::{Lab, copy, entry};
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The kernel image, in the lab.
pub(super) const ZIMAGE: &str = "kernel/zImage";
/// The BeagleBones' device trees, which jobs fetch and the virtual board does not use; in [`DIRECTORY`].
pub(super) const DEVICE_TREES: [&str; 2] = ["am335x-bone.dtb", "am335x-boneblack.dtb"];
/// The directory of all that is taken from the kernel package, in the lab.
pub(super) const DIRECTORY: &str = "kernel";
/// The modules that the initrd loads; in the lab.
pub(super) const MODULES: &str = "kernel/modules";

const METAPACKAGE: &str = "linux-image-armmp:armhf";
/// What the virtual board needs beyond the kernel image: its bus, its network card, and NFS.
const WANTED: [&str; 3] = ["virtio_pci", "virtio_net", "nfsv3"];

/// What the kernel part is made from.
pub(super) fn inputs() -> Inputs {
    Inputs::default().text(METAPACKAGE).text(&WANTED.join(" ")).text(&DEVICE_TREES.join(" "))
}

/// Fetches the kernel package and takes what is needed from it.
///
/// # Errors
/// When the archive cannot be reached or the package is not as expected.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let apt = lab.apt()?;
    let no_package = || Error::NoPackage { package: METAPACKAGE.to_owned() };
    let image =
        apt.dependencies(METAPACKAGE, false)?.into_iter().find(|name| name.starts_with("linux-image-"));
    let unpacked = lab.scratch.join("kernel-package");
    apt.unpack(&[image.ok_or_else(no_package)?], &unpacked)?;

    let kernel = lab.scratch.join("kernel");
    let taken = kernel.join("modules");
    fs::create_dir_all(&taken).map_err(Error::file("cannot make", &taken))?;
    copy(&entry(&unpacked.join("boot"), "vmlinuz-")?, &kernel.join("zImage"))?;
    let trees = entry(&unpacked.join("usr/lib"), "linux-image-")?;
    for name in DEVICE_TREES {
        copy(&trees.join(name), &kernel.join(name))?;
    }
    // Newer releases have /usr/lib/modules alone.
    let base = if unpacked.join("lib/modules").is_dir() { unpacked } else { unpacked.join("usr") };
    let all = entry(&base.join("lib/modules"), "")?;
    let version = all.file_name().unwrap_or_default();
    process::logged(Command::new("depmod").arg("--basedir").arg(&base).arg(version), &lab.log("depmod"))?;
    modules::take(&all, &WANTED, &taken)?;
    lab.finish(&kernel, DIRECTORY)
}
