//! What shells offer at the tab key: each with the script that is made for it, on a terminal.

use std::fs;
use std::os::unix::fs::symlink;

use testbench::harness::{OnTerminal, Testbench, host_runner};

/// A shell at its prompt, with the script for it.
struct Shell {
    name: &'static str,
    /// Starts it without the settings of whoever runs the tests.
    start: &'static str,
    /// Reads the script.
    setup: &'static str,
    /// Makes its prompt [`PROMPT`].
    prompt: &'static str,
}

/// What stands before a line that is typed.
const PROMPT: &str = "ready>";

/// Ctrl-U: forgets the line that is typed.
const FORGET: &str = "\x15";

const SHELLS: [Shell; 3] = [
    Shell {
        name: "bash",
        start: "bash --norc --noprofile -i",
        setup: "eval \"$(host-runner completions bash)\"",
        prompt: "PS1='ready> '",
    },
    Shell {
        name: "zsh",
        start: "zsh -f -i",
        setup: "host-runner completions zsh >bin/_host-runner; fpath=($PWD/bin $fpath); autoload -Uz compinit; compinit -u -D",
        prompt: "PS1='ready> '",
    },
    Shell {
        name: "fish",
        start: "fish --no-config -i",
        setup: "host-runner completions fish | source",
        prompt: "function fish_prompt; echo -n 'ready> '; end",
    },
];

impl Shell {
    /// Starts it where the runner is in `PATH`, beside a bench file with the board `fake1`.
    fn start(&self, bench: &Testbench) -> OnTerminal {
        bench.write("bench.toml", bench.to_toml());
        fs::create_dir_all(bench.path().join("bin")).expect("an own directory");
        symlink(host_runner(), bench.path().join("bin/host-runner")).expect("an own directory");
        let script = format!("export PATH=\"$PWD/bin:$PATH\"; exec {}", self.start);
        let mut terminal = bench.start_script_on_terminal(&script, 40, 100);
        terminal.types(&format!("{}; {}\n", self.setup, self.prompt));
        // What is typed before the shell reads keys itself is shown twice.
        terminal.wait_for("prompt", |rows| rows.iter().any(|row| row == PROMPT));
        terminal
    }
}

#[test]
fn every_shell_offers_commands_and_the_boards_of_the_bench_file() {
    for shell in &SHELLS {
        let bench = Testbench::new();
        let mut terminal = shell.start(&bench);
        // A subcommand and a board of which a part is typed, and that are the only ones.
        terminal.types("host-runner cons\tfa\t");
        terminal.sees("ready> host-runner console fake1");
        terminal.types(FORGET);
        terminal.types("exit\n");
        let (code, rows) = terminal.finish();
        assert_eq!(code, Some(0), "{}: {}", shell.name, rows.join("\n"));
    }
}

#[test]
fn the_bench_file_that_the_line_names_is_the_one_whose_boards_are_offered() {
    for shell in &SHELLS {
        let bench = Testbench::new();
        let mut terminal = shell.start(&bench);
        bench.write("other.toml", bench.to_toml().replace("boards.fake1", "boards.unlike"));
        terminal.types("host-runner power --bench other.toml u\t");
        terminal.sees("ready> host-runner power --bench other.toml unlike");
        terminal.types(FORGET);
        terminal.types("exit\n");
        let (code, rows) = terminal.finish();
        assert_eq!(code, Some(0), "{}: {}", shell.name, rows.join("\n"));
    }
}
