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
mod tree;

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
    /// Take this program for the package instead of building one, and the agents that are built already
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    program: Option<PathBuf>,
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

/// Makes what is asked for and prints where it is.
///
/// # Errors
/// When something cannot be built, read or written; the error says what.
pub(crate) fn run(workspace: &Workspace, args: &PackageArgs) -> Result<(), Error> {
    let out = args.out.clone().unwrap_or_else(|| workspace.target.join("package"));
    fs::create_dir_all(&out).map_err(Error::file("cannot make", &out))?;
    apt::ensure_installed(&PACKAGES)?;
    let agents = agent::all();
    if args.program.is_none() {
        apt::ensure_installed(&agent::packages(&agents))?;
        agent::build(workspace, &agents)?;
    }
    for format in &args.format {
        let program = match (&args.program, format) {
            (Some(program), _) => program.clone(),
            (None, Format::Deb) => program::build(workspace, args.profile)?,
            (None, Format::Archive) => program::build_static(workspace, args.profile)?,
        };
        if *format == Format::Archive {
            program::check_static(&program)?;
        }
        let scratch = tempfile::tempdir_in(&out).map_err(Error::file("cannot write in", &out))?;
        let parts = tree::Parts::gather(workspace, &program, scratch.path())?;
        let made = match format {
            Format::Deb => deb::make(&parts, args.profile == Profile::Release && args.program.is_none(), &out)?,
            Format::Archive => archive::make(&parts, &out)?,
        };
        let size = fs::metadata(&made).map_err(Error::file("cannot read", &made))?.len();
        println!("package: {size:>9} bytes  {}", made.display());
    }
    Ok(())
}
