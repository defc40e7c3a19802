//! The time that everything in a package has (reproducible-builds.org, `SOURCE_DATE_EPOCH`).

use std::process::Command;

use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// The variable of the environment that sets it.
const VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// Seconds since 1970: what the environment says, else the time of the last commit.
///
/// # Errors
/// When the variable holds no number, or there is neither it nor a repository.
pub(super) fn epoch(workspace: &Workspace) -> Result<u64, Error> {
    let (program, text) = match std::env::var(VARIABLE) {
        Ok(text) => (VARIABLE, text),
        Err(_) => {
            let mut log = Command::new("git");
            log.current_dir(&workspace.root).args(["log", "-1", "--format=%ct"]);
            ("git log", process::answer(&mut log)?)
        }
    };
    text.trim().parse().map_err(|_| Error::Answer { program, found: text.chars().take(200).collect() })
}
