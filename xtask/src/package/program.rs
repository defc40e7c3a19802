//! The program of a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Profile;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// The one target of a static program: of the C libraries for the bench PC's processor, this one has a standard library here.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds the program as it is for Debian: with the system's C library.
///
/// # Errors
/// When it does not compile.
pub(super) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf, Error> {
    process::show(&mut cargo(workspace, profile))?;
    Ok(workspace.target.join(directory(profile)).join("host-runner"))
}

/// Builds the program with all libraries in it.
///
/// # Errors
/// When it does not compile.
pub(super) fn build_static(workspace: &Workspace, profile: Profile) -> Result<PathBuf, Error> {
    let mut cargo = cargo(workspace, profile);
    cargo.args(["--target", STATIC_TARGET]);
    // For this target alone: procedural macros cannot be static.
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    process::show(&mut cargo)?;
    Ok(workspace.target.join(STATIC_TARGET).join(directory(profile)).join("host-runner"))
}

/// With the rest of the workspace where that is compiled anyway: cargo chooses the features of dependencies for what is
/// compiled together.
fn cargo(workspace: &Workspace, profile: Profile) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked"]);
    match profile {
        Profile::Dev => cargo.args(["--workspace", "--bins"]),
        Profile::Release => cargo.args(["--release", "--package=host-runner"]),
    };
    cargo
}

const fn directory(profile: Profile) -> &'static str {
    match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    }
}

/// Makes sure that the program needs no library and no loader of the PC that it runs on.
///
/// # Errors
/// [`Error::NotStatic`] if it does.
pub(super) fn check_static(program: &Path) -> Result<(), Error> {
    let headers = process::answer(
        Command::new("readelf").args(["--program-headers", "--dynamic", "--wide"]).arg(program),
    )?;
    let needs = headers.lines().find(|line| line.contains("INTERP") || line.contains("(NEEDED)"));
    match needs {
        Some(line) => Err(Error::NotStatic { program: program.to_owned(), segment: line.trim().to_owned() }),
        None => Ok(()),
    }
}
