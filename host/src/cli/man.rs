//! `host-runner man DIR`: the manual pages.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::cli::args::command;
use crate::cli::message::Failure;
use crate::fault::{Class, Fault};

pub(super) const EXAMPLES: &str = "\
Example:
  host-runner man ~/.local/share/man/man1 && man host-runner-run";

/// `host-runner man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The directory, which is made if it is not there
    directory: PathBuf,
}

/// Writes a page for the program and one for each subcommand.
pub(super) fn man(args: &ManArgs) -> Result<Option<Class>, Failure> {
    let directory = &args.directory;
    if directory.exists() && !directory.is_dir() {
        let text = "it is there already, and no directory";
        return Err(Fault::new(Class::Usage, directory.display().to_string(), text).into());
    }
    let written = fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command(), directory));
    written
        .map_err(|error| Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error))?;
    Ok(None)
}
