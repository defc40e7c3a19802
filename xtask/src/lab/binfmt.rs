//! Running programs for Arm on this machine, which the root file system's maintainer scripts need.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::apt;
use crate::error::Error;
use crate::process;

const DIRECTORY: &str = "/proc/sys/fs/binfmt_misc";

/// Makes the kernel run programs for Arm through QEMU, as root if that takes root.
///
/// # Errors
/// When it cannot be done; the error says by what command it could.
pub(super) fn enable() -> Result<(), Error> {
    if cfg!(target_arch = "arm") || is_enabled() {
        return Ok(());
    }
    let directory = Path::new(DIRECTORY);
    if !directory.join("register").exists() {
        let mut mount = apt::as_root("mount");
        attempt(mount.args(["-t", "binfmt_misc", "binfmt_misc", DIRECTORY]))?;
    }
    if apt::which("update-binfmts").is_some() {
        attempt(apt::as_root("update-binfmts").args(["--enable", "qemu-arm"]))?;
    } else {
        attempt(apt::as_root("/usr/lib/systemd/systemd-binfmt").arg("qemu-arm.conf"))?;
    }
    if is_enabled() {
        Ok(())
    } else {
        Err(Error::Binfmt { reason: "QEMU's format did not appear".to_owned() })
    }
}

fn is_enabled() -> bool {
    let format = Path::new(DIRECTORY).join("qemu-arm");
    fs::read_to_string(format).is_ok_and(|text| text.starts_with("enabled"))
}

fn attempt(command: &mut Command) -> Result<(), Error> {
    process::show(command).map_err(|error| Error::Binfmt { reason: crate::error::chain(&error) })
}
