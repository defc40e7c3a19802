//! `host-runner schema KIND`: what a file can hold, for editors and programs.

use clap::{Args, ValueEnum};

use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::fault::{Class, Fault};
use crate::schema::FileKind;

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner schema job >job.schema.json
  host-runner schema bench >bench.schema.json
  host-runner schema bench --format markdown      all keys with their meaning, as docs/bench.md has them

Editors complete and check a file that begins with
  # yaml-language-server: $schema=job.schema.json     (job files)
  #:schema bench.schema.json                          (bench files)";

/// `host-runner schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which kind of file
    pub(super) kind: FileKind,
    /// JSON Schema for programs, or a page for people: of bench files and board types
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub(super) format: Format,
}

/// How a schema is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Json,
    Markdown,
}

/// Prints a schema.
pub(super) fn schema(args: &SchemaArgs) -> Result<Option<Class>, Failure> {
    let bug = |error: &dyn std::error::Error| Fault::from_error(Class::Bug, "schema", error);
    let text = match args.format {
        Format::Json => args.kind.text().map_err(|error| bug(&error))?,
        Format::Markdown => args.kind.reference().map_err(|error| bug(&error))?.ok_or_else(|| {
            let text = "there is a page of bench files and of board types alone";
            Fault::new(Class::Usage, "schema", text)
                .with_help("`--format json` knows the other kinds of file")
        })?,
    };
    print(|out| out.write_all(text.as_bytes()))
}
