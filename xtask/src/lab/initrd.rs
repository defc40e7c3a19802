//! The virtual board's initrd: BusyBox, a few modules and the script that mounts the root over NFS.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::kernel;
use super::prepare::Lab;
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The initrd, in the lab.
pub(super) const IMAGE: &str = "initrd.img";

const BUSYBOX: &str = "busybox-static:armhf";

/// What the initrd is made from.
///
/// # Errors
/// When the sources or the kernel's modules cannot be read.
pub(super) fn inputs(lab: &Lab) -> Result<Inputs, Error> {
    let kernel = lab.path(kernel::MODULES);
    Inputs::default().text(BUSYBOX).tree(&lab.sources.join("initrd"))?.tree(&kernel)
}

/// Packs the initrd.
///
/// # Errors
/// When BusyBox cannot be fetched or a command fails.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let unpacked = lab.scratch.join("busybox-package");
    lab.apt()?.unpack(&[BUSYBOX], &unpacked)?;
    let tree = lab.scratch.join("initrd");
    for directory in ["bin", "dev", "proc", "sys", "root"] {
        let directory = tree.join(directory);
        fs::create_dir_all(&directory).map_err(Error::file("cannot make", &directory))?;
    }
    let places = [unpacked.join("bin/busybox"), unpacked.join("usr/bin/busybox")];
    let busybox = places.iter().find(|place| place.is_file());
    let missing = || Error::Content { directory: unpacked.clone(), what: "bin/busybox".to_owned() };
    copy(busybox.ok_or_else(missing)?, &tree.join("bin/busybox"))?;
    copy(&lab.sources.join("initrd/init"), &tree.join("init"))?;
    copy(&lab.path(kernel::MODULES), &tree.join("modules"))?;

    let image = lab.scratch.join(IMAGE);
    let pack = "set -e; cd \"$1\"; find . | LC_ALL=C sort | cpio --create --format=newc --reproducible --owner=+0:+0 --quiet \
                >\"$2.cpio\"; gzip --no-name --fast <\"$2.cpio\" >\"$2\"";
    process::logged(Command::new("sh").args(["-c", pack, "sh"]).arg(&tree).arg(&image), &lab.log("initrd"))?;
    lab.finish(&image, IMAGE)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    process::show(Command::new("cp").arg("--recursive").arg("--preserve=mode").arg(from).arg(to))
}
