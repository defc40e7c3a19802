//! `cargo xtask demo | test | fuzz | agent | lab | package`: everything around the product that a developer or a CI machine needs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is this program's only output")]

mod agent;
mod apt;
mod demo;
mod error;
mod fuzz;
mod lab;
mod package;
mod picture;
mod process;
mod stamp;
mod test;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::error::{Error, chain};
use crate::workspace::Workspace;

/// The command line.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Builds, demonstrates and tests host-runner"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run a job on a virtual board, from nothing: installs what is missing, builds, boots
    Demo {
        /// The job to run
        #[arg(long, value_name = "FILE", default_value = "examples/bbb-ssh-guest.yaml")]
        job: PathBuf,
    },
    /// Run every check: format, lints, docs, tests, fuzz targets, agent size, licences, and real jobs on a virtual board
    Test,
    /// Run fuzz targets, beginning with the inputs in fuzz/corpus; fails with the input on which one fails
    Fuzz {
        /// Names of targets, as in fuzz/fuzz_targets; all if none is given
        targets: Vec<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
        /// Check in what was found: as few inputs as reach all that was reached
        #[arg(long)]
        keep: bool,
    },
    /// Build the agent for each kind of board into target/agent/ARCH/lava-agent; print its size and resident memory
    Agent,
    /// Prepare the virtual board (kernel, initrd, root file system, artifacts, git mirror, target/lab/bench.toml) and
    /// user-mode Linux, whose NFS client is used by tests and benchmarks
    Lab,
    /// Make the Debian package, and an archive with a static program, in target/package
    Package(package::PackageArgs),
    /// Draw a stored run as docs/run.svg
    Picture {
        /// The directory of the run
        run: PathBuf,
    },
}

fn main() -> ExitCode {
    match perform(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode, Error> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Demo { job } => demo::run(&workspace, &job),
        Task::Test => test::run(&workspace),
        Task::Fuzz { targets, seconds, keep } => {
            apt::ensure_installed(&fuzz::packages())?;
            let duration = Duration::from_secs(seconds.into());
            fuzz::run(&workspace, &fuzz::Options { targets, duration, keep })?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Agent => {
            let architectures = agent::all();
            apt::ensure_installed(&agent::packages(&architectures))?;
            for agent in agent::build(&workspace, &architectures)? {
                agent.check_memory()?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Package(args) => {
            package::run(&workspace, &args)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Picture { run } => {
            picture::run(&workspace, &run)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Lab => {
            apt::ensure_installed(&lab::packages())?;
            lab::prepare(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
