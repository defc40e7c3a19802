//! Modules taken out of a kernel's package: those that are wanted, those that they need, and the order to load them in.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::prepare::copy;
use crate::error::Error;
use crate::process;

/// The file beside the modules that lists their names, a line each, in the order in which they must be loaded.
const ORDER: &str = "order";

/// Copies `wanted` and all that they need from `all`, a kernel's directory with its `modules.dep`, into the existing
/// directory `into`, decompressed, and writes the file `order` there.
///
/// # Errors
/// When the kernel lacks one, or a file cannot be read or written.
pub(super) fn take(all: &Path, wanted: &[&str], into: &Path) -> Result<(), Error> {
    let file = all.join("modules.dep");
    let dependencies = fs::read_to_string(&file).map_err(Error::file("cannot read", &file))?;
    let mut order = String::new();
    for path in load_order(&dependencies, wanted)
        .map_err(|what| Error::Content { directory: all.to_owned(), what })?
    {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let copied = into.join(&name);
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
    let file = into.join(ORDER);
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
