//! The arguments of `host-runner validate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::BenchArgs;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  host-runner validate job.yaml
  host-runner validate --plan job.yaml
  host-runner validate job.yaml --bench lab/bench.toml    also what `run` would refuse on that bench
  host-runner validate jobs/*.yaml --no-bench             the files alone, wherever this runs
  host-runner validate jobs/*.yaml --format json
  host-runner validate jobs/*.yaml --format sarif >problems.sarif

Jobs are also bound to a bench, if `run` would find one here. Then all is told that `run` refuses before it touches a
board: a board that is missing, or has no `address`; programs, agents and directories of mirrors that are not there.

`host-runner explain CODE` tells more of a problem, such as `host-runner explain unknown-key`.";

/// `host-runner validate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ValidateArgs {
    /// The LAVA job files; `-` is standard input
    #[arg(required = true)]
    pub(super) jobs: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) bench: BenchArgs,
    /// Checks the jobs alone, whatever bench file there is
    #[arg(long)]
    pub(super) no_bench: bool,
    /// Shows what each node would do, step by step
    #[arg(long)]
    pub(super) plan: bool,
    /// Text for people, one JSON object a line and file, or SARIF 2.1.0 for code scanning
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ValidateFormat,
}

/// How `validate` tells what it has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ValidateFormat {
    Text,
    Json,
    Sarif,
}
