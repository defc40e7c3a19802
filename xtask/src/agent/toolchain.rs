//! A Rust toolchain for the boards' processor: rustup's, or Debian's where rustup's cannot be had.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::apt::{self, PrivateApt};
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

const RUSTUP_TARGET: &str = "armv7-unknown-linux-musleabihf";
const DEBIAN_TARGET: &str = "armv7-unknown-linux-gnueabihf";
const LINKER: &str = "arm-linux-gnueabihf-gcc";
/// Debian's compiler packages that may have a standard library for armhf, with the package of the library.
const DEBIAN_COMPILERS: [(&str, &str); 2] =
    [("rustc-web", "libstd-rust-web-dev"), ("rustc", "libstd-rust-dev")];
/// Libraries that every machine with a C compiler has; another copy beside them would only do harm.
const SYSTEM_LIBRARIES: [&str; 6] = ["libc6", "libgcc-s1", "libstdc++6", "libcrypt1", "gcc-", "libc-"];
/// The time that rustup may take to fetch a target.
const RUSTUP_PATIENCE: Duration = Duration::from_secs(120);

/// A compiler for one target.
#[derive(Debug)]
pub(crate) struct Toolchain {
    target: &'static str,
    linker: Option<&'static str>,
    /// The compiler, when it is not the one that cargo takes by itself.
    rustc: Option<PathBuf>,
}

impl Toolchain {
    /// The compiler that built this program, for a target that it has.
    pub(crate) fn native(target: &'static str) -> Self {
        Self { target, linker: None, rustc: None }
    }

    /// A toolchain for 32-bit Arm boards: rustup's target if it is there or can be fetched, else Debian's compiler,
    /// unpacked into `target/lab/toolchain`.
    ///
    /// # Errors
    /// When there is neither.
    pub(crate) fn armv7(workspace: &Workspace) -> Result<Self, Error> {
        if rustup_has_target() {
            return Ok(Self { target: RUSTUP_TARGET, linker: Some(LINKER), rustc: None });
        }
        let directory = workspace.lab().join("toolchain");
        let rustc = directory.join("rustc");
        if !rustc.exists() {
            if rustup_fetches_target() {
                return Ok(Self { target: RUSTUP_TARGET, linker: Some(LINKER), rustc: None });
            }
            println!(
                "agent: rustup has no target {RUSTUP_TARGET}; unpacking Debian's compiler into {}",
                directory.display()
            );
            unpack_debian(&workspace.lab(), &directory)?;
        }
        Ok(Self { target: DEBIAN_TARGET, linker: Some(LINKER), rustc: Some(rustc) })
    }

    /// The target triple.
    pub(crate) fn target(&self) -> &'static str {
        self.target
    }

    /// Makes a cargo command use this toolchain.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        if let Some(linker) = self.linker {
            let target = self.target.to_uppercase().replace('-', "_");
            cargo.env(format!("CARGO_TARGET_{target}_LINKER"), linker);
        }
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
    }
}

fn rustup_has_target() -> bool {
    process::answer(Command::new("rustup").args(["target", "list", "--installed"]))
        .is_ok_and(|targets| targets.lines().any(|target| target == RUSTUP_TARGET))
}

/// Tries to fetch the target, quietly: that it cannot be had is no error.
fn rustup_fetches_target() -> bool {
    let mut command = Command::new("rustup");
    command.args(["target", "add", RUSTUP_TARGET]);
    let Ok(mut child) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    else {
        return false;
    };
    let start = Instant::now();
    while start.elapsed() < RUSTUP_PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    // It may have ended in the meantime, which is as good.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// Unpacks Debian's compiler with its standard libraries for this machine and for armhf, as one tree. Installing them
/// would need a foreign architecture in the user's apt, and conflicts with rustup's packages.
fn unpack_debian(lab: &Path, directory: &Path) -> Result<(), Error> {
    fs::create_dir_all(lab).map_err(Error::file("cannot make", lab))?;
    let scratch = tempfile::tempdir_in(lab).map_err(Error::file("cannot write in", lab))?;
    let apt = PrivateApt::new(scratch.path().join("apt"), &apt::main_suite()?)?;
    let packages = debian_packages(&apt)?;
    let tree = scratch.path().join("toolchain");
    apt.unpack(&packages, &tree)?;

    let wrapper = tree.join("rustc");
    fs::write(&wrapper, WRAPPER).map_err(Error::file("cannot write", &wrapper))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .map_err(Error::file("cannot write", &wrapper))?;
    process::answer(Command::new(&wrapper).arg("--version"))?;
    fs::rename(&tree, directory).map_err(Error::file("cannot move the toolchain to", directory))
}

/// The compiler with its libraries beside it, found from wherever the script is.
const WRAPPER: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
for libraries in "$here"/usr/lib/*-linux-gnu; do break; done
LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$here/usr/bin/rustc" "$@"
"#;

/// The packages of the first Debian compiler whose standard library exists for armhf in the same version.
fn debian_packages(apt: &PrivateApt) -> Result<Vec<String>, Error> {
    for (compiler, library) in DEBIAN_COMPILERS {
        let foreign = format!("{library}:armhf");
        let version = apt.version(library)?;
        if version.is_none() || version != apt.version(&foreign)? || version != apt.version(compiler)? {
            continue;
        }
        let mut packages = vec![compiler.to_owned(), library.to_owned(), foreign];
        let libraries = apt.dependencies(library, true)?;
        packages.extend(libraries.into_iter().filter(|name| !is_system_library(name)));
        packages.sort();
        packages.dedup();
        return Ok(packages);
    }
    Err(Error::NoToolchain { target: RUSTUP_TARGET })
}

fn is_system_library(package: &str) -> bool {
    SYSTEM_LIBRARIES.iter().any(|name| package == *name || (name.ends_with('-') && package.starts_with(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_is_never_unpacked_a_second_time() {
        assert!(is_system_library("libc6"));
        assert!(is_system_library("gcc-12-base"));
        assert!(!is_system_library("libllvm19"));
        assert!(!is_system_library("libstd-rust-web-1.85"));
    }

    #[test]
    fn the_toolchain_reaches_cargo_through_its_environment() {
        let toolchain =
            Toolchain { target: DEBIAN_TARGET, linker: Some(LINKER), rustc: Some("/x/rustc".into()) };
        let mut cargo = Command::new("cargo");
        toolchain.apply(&mut cargo);
        let value = |name: &str| cargo.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(value("CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER"), Some(LINKER.as_ref()));
        assert_eq!(value("RUSTC"), Some("/x/rustc".as_ref()));
    }
}
