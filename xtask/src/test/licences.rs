//! Licences, sources and advisories of all dependencies, by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// The version that is built where none is installed.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// What it says where the database of advisories is out of reach.
const UNREACHABLE: &str = "failed to fetch advisory database";

/// Finds cargo-deny, or builds it into the target directory; that takes some minutes, once.
///
/// # Errors
/// When it cannot be built; its log is part of the error.
pub(super) fn prepare(workspace: &Workspace) -> Result<(), Error> {
    if program(workspace).is_some() {
        return Ok(());
    }
    println!("building {CARGO_DENY} into {} …", tools(workspace).display());
    let mut install = workspace.cargo();
    // It runs for a moment: what its optimization takes is not worth it.
    install.args(["install", "--debug", "--locked", CARGO_DENY, "--root"]).arg(tools(workspace));
    install.arg("--target-dir").arg(tools(workspace).join("build"));
    process::logged(&mut install, &tools(workspace).join("cargo-deny.log"))
}

/// Checks licences, sources and banned crates.
///
/// # Errors
/// When cargo-deny is missing or finds something.
pub(super) fn check(workspace: &Workspace) -> Result<(), Error> {
    process::show(deny(workspace).args(["bans", "licenses", "sources"]))
}

/// Checks for advisories; `Ok(false)` where their database cannot be reached.
///
/// # Errors
/// When cargo-deny is missing or finds something.
pub(super) fn check_advisories(workspace: &Workspace) -> Result<bool, Error> {
    match process::answer(deny(workspace).arg("advisories")) {
        Ok(_) => Ok(true),
        Err(Error::Failed { log, .. }) if log.contains(UNREACHABLE) => Ok(false),
        Err(error) => Err(error),
    }
}

fn deny(workspace: &Workspace) -> Command {
    // One that is missing fails by its name.
    let mut command = Command::new(program(workspace).unwrap_or_else(|| "cargo-deny".into()));
    command.current_dir(&workspace.root).args(["--workspace", "check"]);
    command
}

/// The user's own cargo-deny, or the one in the target directory.
fn program(workspace: &Workspace) -> Option<PathBuf> {
    let own = PathBuf::from("cargo-deny");
    let ours = tools(workspace).join("bin/cargo-deny");
    [own, ours].into_iter().find(|program| process::answer(Command::new(program).arg("--version")).is_ok())
}

fn tools(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}
