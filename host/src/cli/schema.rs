//! `host-runner schema KIND`: what a file can hold, for editors and programs.

use clap::Args;

use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::fault::{Class, Fault};
use crate::schema::FileKind;

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner schema job >job.schema.json
  host-runner schema bench >bench.schema.json

Editors complete and check a file that begins with
  # yaml-language-server: $schema=job.schema.json     (job files)
  #:schema bench.schema.json                          (bench files)";

/// `host-runner schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which kind of file
    pub(super) kind: FileKind,
}

/// Prints a schema.
pub(super) fn schema(args: &SchemaArgs) -> Result<Option<Class>, Failure> {
    let text = args.kind.text().map_err(|error| Fault::from_error(Class::Bug, "schema", &error))?;
    print(|out| out.write_all(text.as_bytes()))
}
