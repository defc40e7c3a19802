//! `host-runner import`: the configuration of a lab that is there already, as a bench file.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::help_text;
use crate::cli::message::{Failure, print_warnings};
use crate::diagnostic::Source;
use crate::fault::{Class, Fault};
use crate::import::{Imported, OutputFile, WriteError, labgrid, lava, write};

/// Prefix of the variables that labgrid's templates may use.
const LABGRID_PREFIX: &str = "LG_";

/// What the help ends with.
pub(super) const EXAMPLES: &str = "\
Nothing is dropped silently: what has no counterpart is told on standard error, and in comments of the files that are made.
Each value there has a comment that says which line it is from. docs/import.md has whole examples.

Examples:
  host-runner import lava bbb-01.jinja2 --templates /usr/share/lava-server/device-types
  host-runner import lava bbb-*.jinja2 --templates types --address 192.168.7.1 --out lab
  host-runner import lava bbb-01.jinja2          its `set` lines alone, on a built-in board type
  host-runner import lava device.yaml --device-type beaglebone-black
  host-runner import labgrid env.yaml --board-type beaglebone-black --out lab
  host-runner import labgrid env.yaml --board-type main=beaglebone-black --board-type my.toml
  host-runner validate job.yaml --bench lab/bench.toml    whether a job finds a board there";

/// `host-runner import`.
#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Reads LAVA device dictionaries
    ///
    /// FILE is a device dictionary: rendered YAML, as `lavacli devices dict get NAME --render` prints it and `lava-run` gets it, or the device's Jinja2 file. A Jinja2 file is rendered with LAVA's device type templates if --templates says where they are. Without them its `set` lines are read, and the board is of a built-in type. Each file becomes a board of its name. Where U-Boot's commands, addresses, prompts or delays are not those of the built-in board type, a board type is written beside the bench file.
    #[command(after_help = help_text::set(EXAMPLES))]
    Lava {
        /// The device dictionaries
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Directory of LAVA's device type templates; of several, the first that has a template wins
        #[arg(long, value_name = "DIR")]
        templates: Vec<PathBuf>,
        /// The device type of the files, for rendered YAML, which does not say it
        #[arg(long, value_name = "NAME")]
        device_type: Option<String>,
        /// The board type to use: a built-in one, or a path ending in .toml; none is made then
        #[arg(long, value_name = "TYPE")]
        board_type: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Reads a labgrid environment file
    ///
    /// Each target becomes a board. labgrid does not say what kind of board a target is, so --board-type does.
    #[command(after_help = help_text::set(EXAMPLES))]
    Labgrid {
        /// The environment file
        #[arg(value_name = "ENV.yaml")]
        file: PathBuf,
        /// The board type of a target, or of all that have none of their own: a built-in one, or a path ending in .toml
        #[arg(long, value_name = "[TARGET=]TYPE")]
        board_type: Vec<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Where what was imported goes.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// This PC's address on the boards' network, which lab files do not have; without it no board can fetch a kernel
    #[arg(long, value_name = "ADDRESS")]
    pub(super) address: Option<IpAddr>,
    /// Directory for bench.toml and board types [default: they are printed]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Overwrites files that are there
    #[arg(long, requires = "out")]
    pub(super) force: bool,
}

/// Carries out a subcommand; class bench if something could not be imported.
pub(super) fn import(command: &ImportCommand) -> Result<Option<Class>, Failure> {
    let (imported, output) = match command {
        ImportCommand::Lava { files, templates, device_type, board_type, output } => {
            let files = files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
            if let Some(absent) = templates.iter().find(|directory| !directory.is_dir()) {
                let text = format!("`{}` is no directory", absent.display());
                return Err(Fault::new(Class::Usage, "--templates", text).into());
            }
            let options = lava::Options {
                templates: templates.clone(),
                device_type: device_type.clone(),
                board_type: board_type.clone(),
                address: output.address,
            };
            (lava::import(&files, &options), output)
        }
        ImportCommand::Labgrid { file, board_type, output } => {
            let options = labgrid::Options {
                board_types: board_type.iter().map(|text| target_and_type(text)).collect(),
                address: output.address,
                base: directory_of(file),
                variables: labgrid_variables(),
            };
            (labgrid::import(&read(file)?, &options), output)
        }
    };
    for reported in &imported.reported {
        print_warnings(&reported.source, &reported.problems);
    }
    put(&imported, output)?;
    Ok(imported.has_errors().then_some(Class::Bench))
}

fn read(path: &Path) -> Result<Source, Fault> {
    Source::read(path).map_err(|error| Fault::from_error(Class::Bench, path.display().to_string(), &error))
}

/// `TARGET=TYPE`, or a type for all.
fn target_and_type(text: &str) -> (Option<String>, String) {
    match text.split_once('=') {
        Some((target, board_type)) => (Some(target.to_owned()), board_type.to_owned()),
        None => (None, text.to_owned()),
    }
}

fn directory_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

fn labgrid_variables() -> Vec<(String, String)> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(name, _)| name.starts_with(LABGRID_PREFIX)).collect()
}

/// Writes the files, or prints them.
fn put(imported: &Imported, output: &OutputArgs) -> Result<(), Failure> {
    let Some(directory) = &output.out else { return print(&imported.files) };
    write(&imported.files, directory, output.force).map_err(|error| {
        let fault = Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error);
        let help = matches!(error, WriteError::Exists(_))
            .then(|| "name another directory, or add --force".to_owned());
        fault.with_optional_help(help)
    })?;
    let paths = imported.files.iter().map(|file| format!("{}\n", directory.join(&file.name).display()));
    print_text(&paths.collect::<String>())
}

/// Each file with a line that names it, which is a comment.
fn print(files: &[OutputFile]) -> Result<(), Failure> {
    let named = files.iter().map(|file| format!("# ---- {} ----\n{}", file.name, file.text));
    print_text(&named.collect::<Vec<_>>().join("\n"))
}

fn print_text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::from_error(Class::Infrastructure, "standard output", &error).into())
        }
        _ => Ok(()),
    }
}
