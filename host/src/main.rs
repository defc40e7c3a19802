//! The `host-runner` program.

use std::process::ExitCode;

use host_runner::board::virtual_network::{HELPER_COMMAND, helper_main};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == HELPER_COMMAND) {
        return helper_main();
    }
    ExitCode::SUCCESS
}
