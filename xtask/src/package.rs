//! `cargo xtask package`: the Debian package, and an archive with a static program for any other Linux.
//!
//! ```text
//! host-runner, its pages and completions ─┐
//! agents, licences of the libraries ──────┼─▶ tree ─┬─▶ deb      host-runner_0.1.0_amd64.deb
//! docs, examples, boards, udev, units ────┘         └─▶ archive  host-runner-0.1.0-x86_64-linux.tar.gz
//! ```
//!
//! The same sources and programs give the same bytes: times are those of the last commit, owners are root, and names are sorted.

mod archive;
mod deb;
mod epoch;
mod licences;
mod program;
#[cfg(test)]
mod tests;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::error::Error;
use crate::workspace::Workspace;
use crate::{agent, apt};

/// The Debian packages that packages are made with.
const PACKAGES: [&str; 4] = ["binutils", "dpkg-dev", "git", "tar"];

/// `cargo xtask package`.
#[derive(Args)]
pub(crate) struct PackageArgs {
    /// How the program is built: `dev` is quick, `release` is what is given away
    #[arg(long, value_name = "PROFILE", default_value = "release")]
    profile: Profile,
    /// What is made; `archive` needs a build of its own, of a static program
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', default_values = ["deb", "archive"])]
    format: Vec<Format>,
    /// The directory of what is made [default: target/package]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// How the program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Dev,
    Release,
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A Debian package
    Deb,
    /// A compressed tar with a static program
    Archive,
}

/// Installs what is needed, builds agents and program, makes what is asked for and prints where it is.
///
/// # Errors
/// When something cannot be installed, built, read or written; the error says what.
pub(crate) fn run(workspace: &Workspace, args: &PackageArgs) -> Result<(), Error> {
    let agents = agent::all();
    apt::ensure_installed(&[agent::packages(&agents), PACKAGES.to_vec()].concat())?;
    agent::build(workspace, &agents)?;
    let out = args.out.clone().unwrap_or_else(|| workspace.target.join("package"));
    for format in &args.format {
        let made = match format {
            Format::Deb => {
                let program = program::build(workspace, args.profile)?;
                make_deb(workspace, &program, args.profile, &out)?
            }
            Format::Archive => {
                let program = program::build_static(workspace, args.profile)?;
                make_archive(workspace, &program, &out)?
            }
        };
        let size = fs::metadata(&made).map_err(Error::file("cannot read", &made))?.len();
        println!("package: {size:>9} bytes  {}", made.display());
    }
    Ok(())
}

/// Makes the Debian package of a program in `out`, with the agents that are there.
fn make_deb(workspace: &Workspace, program: &Path, profile: Profile, out: &Path) -> Result<PathBuf, Error> {
    let scratch = scratch_in(out)?;
    let parts = tree::Parts::gather(workspace, program, scratch.path())?;
    deb::make(&parts, profile == Profile::Release, out)
}

/// Makes the archive of a static program in `out`, with the agents that are there.
fn make_archive(workspace: &Workspace, program: &Path, out: &Path) -> Result<PathBuf, Error> {
    program::check_static(program)?;
    let scratch = scratch_in(out)?;
    archive::make(&tree::Parts::gather(workspace, program, scratch.path())?, out)
}

fn scratch_in(out: &Path) -> Result<TempDir, Error> {
    fs::create_dir_all(out).map_err(Error::file("cannot make", out))?;
    tempfile::tempdir_in(out).map_err(Error::file("cannot write in", out))
}
