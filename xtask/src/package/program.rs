//! The program of a package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Profile;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Builds the program as it is for Debian: with the system's C library.
///
/// # Errors
/// When it does not compile.
pub(super) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf, Error> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked"]);
    match profile {
        // With the rest of the workspace, which is compiled anyway: cargo chooses the features of dependencies for what is
        // compiled together.
        Profile::Dev => cargo.args(["--workspace", "--bins"]),
        Profile::Release => cargo.args(["--release", "--package=host-runner"]),
    };
    process::show(&mut cargo)?;
    Ok(built(workspace, profile))
}

/// Builds the program with all libraries in it, and leaves it beside the other.
///
/// # Errors
/// When it does not compile, or cannot be renamed.
pub(super) fn build_static(workspace: &Workspace, profile: Profile) -> Result<PathBuf, Error> {
    let mut cargo = workspace.cargo();
    cargo.args(["rustc", "--locked", "--package=host-runner", "--bin=host-runner"]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    // For the program alone, and that is enough: the standard library asks for the kind of the C library when a program is
    // linked. Everything else is compiled once for both, and procedural macros, which cannot be static, stay as they are.
    process::show(cargo.args(["--", "-Ctarget-feature=+crt-static"]))?;
    let built = built(workspace, profile);
    let kept = built.with_file_name("host-runner-static");
    fs::rename(&built, &kept).map_err(Error::file("cannot rename", &built))?;
    // By its usual name is the usual program again; it is compiled already.
    build(workspace, profile)?;
    Ok(kept)
}

fn built(workspace: &Workspace, profile: Profile) -> PathBuf {
    workspace.target.join(directory(profile)).join("host-runner")
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
