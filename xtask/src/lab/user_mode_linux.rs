//! Debian's Linux kernel that runs as a process, unpacked and not installed: an NFS client that boots in seconds, on any
//! machine.

use std::fs;
use std::process::Command;

use super::modules;
use super::prepare::{Lab, copy, entry};
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The kernel, in the lab.
pub(super) const PROGRAM: &str = "uml/linux.uml";
/// The modules that make it an NFS client; in the lab.
pub(super) const MODULES: &str = "uml/modules";

/// The directory of all that is taken from the package, in the lab.
const DIRECTORY: &str = "uml";
const PACKAGE: &str = "user-mode-linux";
const WANTED: [&str; 1] = ["nfsv3"];
/// What stands between the kernel and ptrace(2).
const PTRACE: &str = include_str!("../../lab/uml/ptrace.c");

/// What the part is made from.
pub(super) fn inputs() -> Inputs {
    Inputs::default().text(PACKAGE).text(&WANTED.join(" ")).text(PTRACE)
}

/// Fetches the package and takes what is needed from it.
///
/// # Errors
/// When the archive cannot be reached or the package is not as expected.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let unpacked = lab.scratch.join("uml-package");
    lab.apt()?.unpack(&[PACKAGE], &unpacked)?;
    let taken = lab.scratch.join("uml");
    let into = taken.join("modules");
    fs::create_dir_all(&into).map_err(Error::file("cannot make", &into))?;
    copy(&unpacked.join("usr/bin/linux.uml"), &taken.join("linux.uml"))?;
    let source = lab.scratch.join("ptrace.c");
    fs::write(&source, PTRACE).map_err(Error::file("cannot write", &source))?;
    let arguments = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"];
    process::answer(Command::new("cc").args(arguments).args([&taken.join("ptrace.so"), &source]))?;
    modules::take(&entry(&unpacked.join("usr/lib/uml/modules"), "")?, &WANTED, &into)?;
    lab.finish(&taken, DIRECTORY)
}
