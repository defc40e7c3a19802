//! Debian packages: installing what is missing, and fetching packages of other architectures without touching the
//! user's own package system.

mod private;
mod source;

use std::process::Command;

pub(crate) use private::PrivateApt;
pub(crate) use source::{Source, access_settings, main_suite};

use crate::error::Error;
use crate::process;

/// What makes a Debian that is thrown away smaller and its making faster: it needs no manual, and nobody misses it.
pub(crate) const DPKG_OPTIONS: [&str; 5] = [
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
];

/// Installs those of `packages` that are missing, after saying which.
///
/// # Errors
/// When there is no apt, or no sudo for a user who is not root, or apt fails.
pub(crate) fn ensure_installed(packages: &[&str]) -> Result<(), Error> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    if which("apt-get").is_none() {
        return Err(Error::NoApt { packages: missing.join(" ") });
    }
    if !is_root() && which("sudo").is_none() {
        return Err(Error::NoSudo { packages: missing.join(" ") });
    }
    let sudo = if is_root() { "" } else { " with sudo" };
    println!("These Debian packages are needed and will be installed now{sudo}: {}", missing.join(" "));
    let mut updated = false;
    if !known(&missing) {
        update()?;
        updated = true;
    }
    match install(&missing) {
        // The lists name versions that the archive no longer has.
        Err(_) if !updated => {
            update()?;
            install(&missing)
        }
        result => result,
    }
}

/// Fetches apt's package lists again.
///
/// # Errors
/// When apt fails.
pub(crate) fn update() -> Result<(), Error> {
    process::show(as_root("apt-get").args(["update", "--quiet"]))
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    process::answer(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// `program`, run through sudo when this process is not root's.
pub(crate) fn as_root(program: &str) -> Command {
    if is_root() {
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        return command;
    }
    let mut command = Command::new("sudo");
    command.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
    command
}

/// Where `program` is, if it is on the path or where root's programs are.
pub(crate) fn which(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Package} ${db:Status-Status}\n"]).args(packages);
    let listed = process::output(&mut query).map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let mut missing: Vec<&str> =
        packages.iter().copied().filter(|package| !is_installed(&listed, package)).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn is_installed(listed: &str, package: &str) -> bool {
    listed.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
}

fn known(packages: &[&str]) -> bool {
    process::answer(Command::new("apt-cache").args(["show", "--no-all-versions"]).args(packages)).is_ok()
}

fn install(packages: &[&str]) -> Result<(), Error> {
    process::show(
        as_root("apt-get").args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_with_its_configuration_left_is_not_installed() {
        let listed = "cpio installed\nkmod config-files\n";
        assert!(is_installed(listed, "cpio"));
        assert!(!is_installed(listed, "kmod"));
        assert!(!is_installed(listed, "cpi"));
    }
}
