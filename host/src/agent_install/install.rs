//! Installing, removing and looking, whatever the target is.

use std::path::PathBuf;

use super::error::InstallError;
use super::program::{Build, program_in};
use super::status::{self, Installed, Status};
use super::target::{Files, Target};
use super::{architecture, plan, ssh};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which agent: the one that was installed, or removed if that could be told.
    pub build: Option<Build>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was none before.
    Installed,
    /// Another build, or one that was not whole, has given way.
    Replaced(Option<Build>),
    /// It is gone.
    Removed,
    /// All was so already.
    Unchanged,
}

/// Installs the agent for the target's architecture, or for `arch`, out of one of `directories`.
///
/// # Errors
/// [`InstallError`]; the target is as it was then.
pub fn install(
    target: &mut Target,
    directories: &[PathBuf],
    arch: Option<&str>,
) -> Result<Done, InstallError> {
    match target {
        Target::Files(Files { tree }) => {
            let before = status::of_tree(tree.as_mut())?;
            let arch = arch.map_or_else(|| architecture::of_tree(tree.as_mut()), Ok)?;
            let program = program_in(directories, arch)?;
            let changes = plan::install(tree.as_mut(), &program)?;
            if !changes.is_empty() {
                tree.apply(&changes)?;
            }
            Ok(done(program.build, before, !changes.is_empty()))
        }
        Target::Ssh(board) => {
            let looked = board.look()?;
            let arch = arch.map_or_else(|| looked.arch(), Ok)?;
            let program = program_in(directories, arch)?;
            let before = looked.installed()?;
            refuse_foreign(before.as_ref())?;
            let is_new = !ssh::is_same(&looked, &program);
            if is_new {
                board.install(&program)?;
            }
            Ok(done(program.build, before, is_new))
        }
    }
}

fn done(build: Build, before: Option<Installed>, changed: bool) -> Done {
    let outcome = match before {
        _ if !changed => Outcome::Unchanged,
        None => Outcome::Installed,
        Some(before) => Outcome::Replaced(before.build),
    };
    Done { build: Some(build), outcome }
}

/// What has no manifest is nothing that this program has made, unless it was interrupted.
fn refuse_foreign(installed: Option<&Installed>) -> Result<(), InstallError> {
    match installed {
        Some(Installed { build: None, interrupted: false, directory, .. }) => {
            Err(InstallError::Occupied { path: directory.trim_start_matches('/').to_owned() })
        }
        _ => Ok(()),
    }
}

/// Removes the agent.
///
/// # Errors
/// [`InstallError`]; the target is as it was then.
pub fn remove(target: &mut Target) -> Result<Done, InstallError> {
    let (before, changed) = match target {
        Target::Files(Files { tree }) => {
            let before = status::of_tree(tree.as_mut())?;
            let changes = plan::remove(tree.as_mut())?;
            if !changes.is_empty() {
                tree.apply(&changes)?;
            }
            (before, !changes.is_empty())
        }
        Target::Ssh(board) => {
            let before = board.look()?.installed()?;
            refuse_foreign(before.as_ref())?;
            if before.is_some() {
                board.remove()?;
            }
            let changed = before.is_some();
            (before, changed)
        }
    };
    let outcome = if changed { Outcome::Removed } else { Outcome::Unchanged };
    Ok(Done { build: before.and_then(|before| before.build), outcome })
}

/// Looks at what is installed.
///
/// # Errors
/// When the target cannot be read or is none.
pub fn status(target: &mut Target) -> Result<Status, InstallError> {
    let (installed, arch) = match target {
        Target::Files(Files { tree }) => {
            (status::of_tree(tree.as_mut())?, architecture::of_tree(tree.as_mut()))
        }
        Target::Ssh(board) => {
            let looked = board.look()?;
            (looked.installed()?, looked.arch())
        }
    };
    Ok(Status { installed, arch: arch.ok().map(str::to_owned) })
}
