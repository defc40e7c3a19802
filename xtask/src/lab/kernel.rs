//! Debian's kernel for armv7 boards, unpacked and not installed: the image, device trees, the modules for the initrd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::prepare::Lab;
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The kernel image, in the lab.
pub(super) const ZIMAGE: &str = "kernel/zImage";
/// The BeagleBones' device trees, which jobs fetch and the virtual board does not use; in [`DIRECTORY`].
pub(super) const DEVICE_TREES: [&str; 2] = ["am335x-bone.dtb", "am335x-boneblack.dtb"];
/// The directory of all that is taken from the kernel package, in the lab.
pub(super) const DIRECTORY: &str = "kernel";
/// The modules that the initrd loads and the file `order` that lists them; in the lab.
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
    let modules = kernel.join("modules");
    fs::create_dir_all(&modules).map_err(Error::file("cannot make", &modules))?;
    copy(&entry(&unpacked.join("boot"), "vmlinuz-")?, &kernel.join("zImage"))?;
    let trees = entry(&unpacked.join("usr/lib"), "linux-image-")?;
    for name in DEVICE_TREES {
        copy(&trees.join(name), &kernel.join(name))?;
    }
    take_modules(lab, &unpacked, &modules)?;
    lab.finish(&kernel, DIRECTORY)
}

fn take_modules(lab: &Lab, unpacked: &Path, modules: &Path) -> Result<(), Error> {
    // Newer releases have /usr/lib/modules alone.
    let base = if unpacked.join("lib/modules").is_dir() { unpacked.to_owned() } else { unpacked.join("usr") };
    let all = entry(&base.join("lib/modules"), "")?;
    let version = all.file_name().unwrap_or_default();
    process::logged(Command::new("depmod").arg("--basedir").arg(&base).arg(version), &lab.log("depmod"))?;
    let file = all.join("modules.dep");
    let dependencies = fs::read_to_string(&file).map_err(Error::file("cannot read", &file))?;
    let mut order = String::new();
    for path in
        load_order(&dependencies, &WANTED).map_err(|what| Error::Content { directory: all.clone(), what })?
    {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let copied = modules.join(&name);
        copy(&all.join(path), &copied)?;
        let name = if let Some(plain) = name.strip_suffix(".xz") {
            process::show(Command::new("xz").arg("--decompress").arg(&copied))?;
            plain.to_owned()
        } else {
            name
        };
        order.push_str(&name);
        order.push('\n');
    }
    let file = modules.join("order");
    fs::write(&file, order).map_err(Error::file("cannot write", &file))
}

/// The modules to load for `wanted`, each after those that it depends on, as paths; the name of one that is not there
/// is the error.
fn load_order<'a>(modules_dep: &'a str, wanted: &[&str]) -> Result<Vec<&'a str>, String> {
    let mut order: Vec<&str> = Vec::new();
    for module in wanted {
        let line = modules_dep.lines().find_map(|line| {
            let (path, dependencies) = line.split_once(':')?;
            let name = Path::new(path).file_name()?.to_str()?.split('.').next()?;
            (name == *module).then_some((path, dependencies))
        });
        let (path, dependencies) = line.ok_or_else(|| format!("module {module}"))?;
        // depmod lists what must be loaded first last.
        for path in dependencies.split_whitespace().rev().chain([path]) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    Ok(order)
}

/// The entry of `directory` whose name starts with `prefix`.
fn entry(directory: &Path, prefix: &str) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(directory).map_err(Error::file("cannot read", directory))?;
    let mut names = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let first = names.next().map(|entry| entry.path());
    first.ok_or_else(|| Error::Content { directory: directory.to_owned(), what: format!("{prefix}*") })
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(drop).map_err(Error::file("cannot copy", from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES_DEP: &str = "kernel/a/virtio_pci.ko: kernel/a/virtio_pci_legacy_dev.ko kernel/a/modern.ko\n\
         kernel/fs/nfsv3.ko.xz: kernel/fs/nfs.ko.xz kernel/fs/lockd.ko.xz kernel/net/sunrpc.ko.xz\n\
         kernel/fs/nfs.ko.xz: kernel/fs/lockd.ko.xz kernel/net/sunrpc.ko.xz\n\
         kernel/net/sunrpc.ko.xz:\n";

    #[test]
    fn every_module_comes_after_those_it_depends_on_and_once() {
        assert_eq!(
            load_order(MODULES_DEP, &["nfsv3", "nfs"]).unwrap(),
            [
                "kernel/net/sunrpc.ko.xz",
                "kernel/fs/lockd.ko.xz",
                "kernel/fs/nfs.ko.xz",
                "kernel/fs/nfsv3.ko.xz"
            ]
        );
        assert_eq!(load_order(MODULES_DEP, &["virtio_pci"]).unwrap().last(), Some(&"kernel/a/virtio_pci.ko"));
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_named() {
        assert_eq!(load_order(MODULES_DEP, &["virtio"]), Err("module virtio".to_owned()));
    }
}
