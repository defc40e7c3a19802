//! `cargo xtask demo`: from a fresh Debian machine to a job on a virtual board.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;
use crate::{agent, apt, lab};

/// Prepares everything that is missing and runs `job` on the virtual board.
///
/// # Errors
/// When something cannot be installed or built; what the job came to is the exit code.
pub(crate) fn run(workspace: &Workspace, job: &Path) -> Result<ExitCode, Error> {
    let start = Instant::now();
    let packages = [agent::packages(&[&agent::ARMV7]), lab::packages()].concat();
    apt::ensure_installed(&packages)?;
    let runner = prepare(workspace)?;
    println!("demo: everything is ready after {:.1} s; the job starts", start.elapsed().as_secs_f64());
    let job = if job.exists() { job.to_owned() } else { workspace.root.join(job) };
    let mut command = Command::new(runner);
    command.arg("run").arg(job).arg("--bench").arg(workspace.bench());
    let status =
        command.status().map_err(|source| Error::Start { program: "host-runner".to_owned(), source })?;
    // 70 is the runner's own code for a bug, and so is its death by a signal.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(70)))
}

/// Makes the lab and, at the same time, compiles agent and runner; returns the runner's path.
fn prepare(workspace: &Workspace) -> Result<std::path::PathBuf, Error> {
    std::thread::scope(|scope| {
        let lab = scope.spawn(|| lab::prepare(workspace));
        let built = agent::build(workspace, &[&agent::ARMV7]).and_then(|_| build_runner(workspace));
        lab.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        built
    })
}

/// Compiles the runner with the profile of the tests, which is optimised enough, and with the rest of the workspace: cargo
/// chooses the features of dependencies for what is compiled together, and would compile them again otherwise.
///
/// # Errors
/// When it does not compile.
pub(crate) fn build_runner(workspace: &Workspace) -> Result<std::path::PathBuf, Error> {
    process::show(workspace.cargo().args(["build", "--workspace", "--bins"]))?;
    Ok(workspace.target.join("debug/host-runner"))
}
