//! A scripted board on standard input and output, a pseudo-terminal or a TCP port; see `--help`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use testbench::fake_board::{self, Options};

fn main() -> ExitCode {
    match fake_board::run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed too.
            let _ = writeln!(io::stderr(), "fake-board: {error}");
            ExitCode::FAILURE
        }
    }
}
