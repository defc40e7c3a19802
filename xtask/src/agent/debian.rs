//! Debian's Rust compiler with its standard libraries for boards, unpacked as one tree. Installing them would need
//! foreign architectures in the user's apt, and conflicts with rustup's packages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::architecture::{self, Debian};
use crate::apt::{self, PrivateApt};
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Debian's compiler packages, with the package of the standard library of each.
const COMPILERS: [(&str, &str); 2] = [("rustc-web", "libstd-rust-web-dev"), ("rustc", "libstd-rust-dev")];
/// Libraries that every machine with a C compiler has; another copy beside them would only do harm.
const SYSTEM_LIBRARIES: [&str; 6] = ["libc6", "libgcc-s1", "libstdc++6", "libcrypt1", "gcc-", "libc-"];

/// The compiler, with standard libraries for `wanted` and this machine; unpacked if it is not there yet.
///
/// # Errors
/// When the archive cannot be reached or has no such library.
pub(super) fn compiler(workspace: &Workspace, wanted: &Debian) -> Result<PathBuf, Error> {
    let directory = workspace.lab().join("toolchain");
    let rustc = directory.join("rustc");
    if !directory.join("usr/lib/rustlib").join(wanted.target).is_dir() || !rustc.exists() {
        println!("agent: unpacking it into {}", directory.display());
        unpack(&workspace.lab(), &directory, wanted)?;
    }
    Ok(rustc)
}

fn unpack(lab: &Path, directory: &Path, wanted: &Debian) -> Result<(), Error> {
    fs::create_dir_all(lab).map_err(Error::file("cannot make", lab))?;
    let scratch = tempfile::tempdir_in(lab).map_err(Error::file("cannot write in", lab))?;
    // All libraries come at once: the tree is one, and the next architecture asks for its own at once.
    let all: Vec<&Debian> = architecture::all().into_iter().filter_map(|one| one.debian.as_ref()).collect();
    let names: Vec<&str> = all.iter().map(|debian| debian.name).collect();
    let apt = PrivateApt::new(scratch.path().join("apt"), &apt::main_suite()?, &names)?;
    let packages = packages(&apt, wanted, &names)?;
    let tree = scratch.path().join("toolchain");
    apt.unpack(&packages, &tree)?;

    let wrapper = tree.join("rustc");
    fs::write(&wrapper, WRAPPER).map_err(Error::file("cannot write", &wrapper))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .map_err(Error::file("cannot write", &wrapper))?;
    process::answer(Command::new(&wrapper).arg("--version"))?;
    if directory.exists() {
        // Of an earlier time, without the library that is wanted now.
        let old = scratch.path().join("old");
        fs::rename(directory, &old).map_err(Error::file("cannot move", directory))?;
    }
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

/// The packages of the first Debian compiler whose standard library exists for `wanted` in the same version, with
/// those of the other `architectures` that exist in it as well.
fn packages(apt: &PrivateApt, wanted: &Debian, architectures: &[&str]) -> Result<Vec<String>, Error> {
    for (compiler, library) in COMPILERS {
        let version = apt.version(library)?;
        let is_there = |architecture: &str| {
            apt.version(&format!("{library}:{architecture}")).map(|foreign| foreign == version)
        };
        if version.is_none() || version != apt.version(compiler)? || !is_there(wanted.name)? {
            continue;
        }
        let mut packages = vec![compiler.to_owned(), library.to_owned()];
        for architecture in architectures {
            if is_there(architecture)? {
                packages.push(format!("{library}:{architecture}"));
            }
        }
        let libraries = apt.dependencies(library, true)?;
        packages.extend(libraries.into_iter().filter(|name| !is_system_library(name)));
        packages.sort();
        packages.dedup();
        return Ok(packages);
    }
    Err(Error::NoToolchain {
        architecture: wanted.name,
        tried: "rustup has no such target here, and this Debian release no rustc with a standard library for it",
    })
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
}
