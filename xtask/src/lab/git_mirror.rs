//! The repository of test definitions, made from files of ours, with the same commit id on every machine.

use std::path::Path;
use std::process::Command;

use super::prepare::Lab;
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The bare repository, in the lab.
pub(super) const REPOSITORY: &str = "git/test-definitions.git";

/// What the repository is made from.
///
/// # Errors
/// When the definitions cannot be read.
pub(super) fn inputs(lab: &Lab) -> Result<Inputs, Error> {
    Inputs::default().tree(&lab.sources.join("test-definitions"))
}

/// Makes the repository with one commit.
///
/// # Errors
/// When git fails.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let repository = lab.scratch.join("test-definitions.git");
    let files = lab.sources.join("test-definitions");
    let run = |command: &mut Command| process::logged(command, &lab.log("git-mirror"));
    run(git(&files).args(["init", "--quiet", "--bare", "--initial-branch=master"]).arg(&repository))?;
    for arguments in [
        &["add", "--all", "--force", "."][..],
        &["commit", "--quiet", "--message=Test definitions of the lab"],
    ] {
        run(git(&files).arg("--git-dir").arg(&repository).arg("--work-tree").arg(&files).args(arguments))?;
    }
    lab.finish(&repository, REPOSITORY)
}

/// git without the user's configuration, which could sign, filter or refuse.
fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("TZ", "UTC");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "host-runner lab");
        command.env(format!("GIT_{role}_EMAIL"), "lab@example.org");
        command.env(format!("GIT_{role}_DATE"), "2025-01-01T00:00:00Z");
    }
    // Set when this runs from a hook of the repository that it is part of.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    command.args(["-c", "core.autocrlf=false", "-c", "core.fileMode=false"]);
    command
}
