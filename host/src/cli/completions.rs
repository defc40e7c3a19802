//! `host-runner completions SHELL`: what a shell offers at the tab key.
//!
//! The script of a shell asks this program each time, so that the boards are those of the bench file that a command would use.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use clap_complete::env::Shells;
use clap_complete::{ArgValueCandidates, CompleteEnv, CompletionCandidate, Shell};

use crate::board::Bench;
use crate::cli::args::{BENCH_VARIABLE, BenchArgs, command};
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::run::find_bench_if_any;
use crate::fault::{Class, Fault, exit_code};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner completions bash >~/.local/share/bash-completion/completions/host-runner
  host-runner completions zsh >~/.zfunc/_host-runner      with ~/.zfunc in fpath
  host-runner completions fish >~/.config/fish/completions/host-runner.fish";

/// Set by the scripts where they ask this program.
const VARIABLE: &str = "HOST_RUNNER_COMPLETE";

/// The program, as it is found in PATH.
const PROGRAM: &str = "host-runner";

/// zsh runs a file of fpath as the function's body when it is first called, which has to complete then too.
const ZSH_FIRST_CALL: &str = "
if [[ \"${funcstack[1]}\" == \"_host-runner\" ]]; then
    _clap_dynamic_completer_host_runner \"$@\"
fi
";

/// `host-runner completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Option<Class>, Failure> {
    let name = args.shell.to_string();
    let mut script = Vec::new();
    let written = match Shells::builtins().completer(&name) {
        Some(shell) => shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script),
        None => Err(std::io::Error::other("there is no script for this shell")),
    };
    written.map_err(|error| Fault::from_error(Class::Bug, name, &error))?;
    if args.shell == Shell::Zsh {
        script.extend(ZSH_FIRST_CALL.as_bytes());
    }
    print(|out| out.write_all(&script))
}

/// Answers a shell's script, if it is one that asks.
pub(super) fn answer_shell() -> Option<ExitCode> {
    let directory = std::env::current_dir().ok();
    match CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), directory.as_deref())
    {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::from(exit_code(None))),
        // A shell that is shown nothing offers nothing.
        Err(_) => Some(ExitCode::from(exit_code(Some(Class::Usage)))),
    }
}

/// Offers the boards of the bench file, each with its type.
pub(super) fn boards() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let bench = BenchArgs { bench: named_bench().map(Into::into) };
        let bench = find_bench_if_any(&bench).and_then(|path| Bench::load(&path).ok());
        let boards = bench.map(|bench| bench.boards).unwrap_or_default();
        let offered = boards.iter().map(|board| {
            CompletionCandidate::new(&board.name).help(Some(board.board_type.as_str().to_owned().into()))
        });
        offered.collect()
    })
}

/// The bench file that the command line so far names with `--bench`, or the environment.
fn named_bench() -> Option<OsString> {
    let mut words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        if word == "--bench" {
            return words.next();
        }
        if let Some(file) = word.to_str().and_then(|word| word.strip_prefix("--bench=")) {
            return Some(file.into());
        }
    }
    std::env::var_os(BENCH_VARIABLE)
}
