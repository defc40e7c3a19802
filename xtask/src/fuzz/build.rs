//! Building the targets with counters.

use std::fs;
use std::path::PathBuf;

use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// The Debian packages that libFuzzer is built with.
pub(crate) fn packages() -> Vec<&'static str> {
    vec!["g++"]
}

/// The names of all targets, in order.
pub(super) fn targets(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let directory = workspace.fuzz_sources().join("fuzz_targets");
    let entries = fs::read_dir(&directory).map_err(Error::file("cannot read", &directory))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>().map_err(Error::file("cannot read", &directory))?;
    let stems = paths.iter().filter_map(|path| path.file_stem());
    let mut names: Vec<String> = stems.map(|stem| stem.to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// Builds all targets, and returns the directory that they are in.
///
/// # Errors
/// When one does not compile.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--package=host-runner-fuzz", "--features=targets"]);
    cargo.env("RUSTC_WORKSPACE_WRAPPER", workspace.fuzz_sources().join("rustc"));
    process::show(&mut cargo)?;
    // Dependencies are those of all other builds; what differs of our crates has names of its own.
    Ok(workspace.target.join("debug"))
}
