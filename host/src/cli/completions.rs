//! `host-runner completions SHELL`: what a shell offers at the tab key.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::cli::args::command;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::fault::Class;

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner completions bash >~/.local/share/bash-completion/completions/host-runner
  host-runner completions zsh >~/.zfunc/_host-runner      with ~/.zfunc in fpath
  host-runner completions fish >~/.config/fish/completions/host-runner.fish";

/// `host-runner completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Option<Class>, Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut command(), "host-runner", &mut script);
    // For bash the crate spells a name with a hyphen in two ways (clap's issue 6421): nothing would be offered behind a
    // subcommand.
    let script = String::from_utf8_lossy(&script).replace("host__subcmd__runner", "host__runner");
    print(|out| out.write_all(script.as_bytes()))
}
