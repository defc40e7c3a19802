//! The `host-runner` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    host_runner::cli::main()
}
