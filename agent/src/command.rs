//! The command line of `lava-agent` itself.

use crate::agent::{Agent, Setting};
use crate::environment::SOCKET_NAME;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::line::Line;
use crate::receive_file::joined;
use crate::socket::Calls;
use crate::terminal::{NonBlocking, RawTerminal};
use crate::{helper, path, runtime, stdio, text_file};

const HELP: &str = "\
lava-agent: runs test definitions on a board for host-runner

usage: lava-agent console [--baud RATE]   speak to the runner over the terminal on standard input
       lava-agent stdio                   speak to the runner over a pipe or socket
       lava-agent --help | --version

RATE is the speed of the line in bits per second; without it, or with 0, the line
has none (an emulator).

Under these names it is a helper for test definitions:
";

/// Exit code for a wrong command line.
const EXIT_USAGE: u8 = 2;

/// Exit code of an agent that lost its runner.
const EXIT_LOST: u8 = 1;

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Help,
    Version,
    /// With the line's rate in bits per second, if given.
    Console(Option<u32>),
    Stdio,
}

impl Command {
    fn parse(invocation: &Invocation<'_>) -> Option<Self> {
        let mut words = invocation.arguments.iter().skip(1).map(|word| word.to_str().unwrap_or_default());
        let command = match words.next()? {
            "--help" | "-h" | "help" => Self::Help,
            "--version" | "-V" => Self::Version,
            "stdio" => Self::Stdio,
            "console" => match words.next() {
                None => Self::Console(None),
                Some("--baud") => Self::Console(Some(words.next()?.parse().ok()?)),
                Some(_) => return None,
            },
            _ => return None,
        };
        words.next().is_none().then_some(command)
    }
}

/// Does what the command line asks for and returns the exit code.
pub(crate) fn run(invocation: &Invocation<'_>) -> u8 {
    let result = match Command::parse(invocation) {
        None => {
            stdio::say(stdio::stderr(), &["lava-agent: unknown command line\n\n", HELP]);
            return EXIT_USAGE;
        }
        Some(Command::Help) => {
            stdio::say(stdio::stdout(), &[HELP]);
            helper::list();
            Ok(())
        }
        Some(Command::Version) => {
            let version = concat!("lava-agent ", env!("CARGO_PKG_VERSION"), " ", env!("AGENT_ARCH"), "\n");
            stdio::say(stdio::stdout(), &[version]);
            Ok(())
        }
        Some(Command::Console(baud)) => console(invocation, baud),
        Some(Command::Stdio) => serve(invocation, "stdio", None),
    };
    match result {
        Ok(()) => 0,
        // By now the terminal is as it was, so this can be read on it.
        Err(failure) => {
            failure.say("lava-agent");
            EXIT_LOST
        }
    }
}

fn console(invocation: &Invocation<'_>, baud: Option<u32>) -> Result<(), Failure> {
    let _terminal =
        RawTerminal::enter(stdio::stdin()).map_err(Failure::system("standard input is no terminal"))?;
    let rate = baud.map(|baud| baud / BITS_PER_BYTE);
    serve(invocation, "console", rate.filter(|rate| *rate > 0))
}

fn serve(invocation: &Invocation<'_>, link: &'static str, bytes_per_s: Option<u32>) -> Result<(), Failure> {
    runtime::shield_from_signals();
    let directory = path::own_directory(invocation)
        .ok_or(Failure::Plain("cannot tell which directory it was started from"))?;
    let socket = joined(directory.as_str(), SOCKET_NAME)
        .map_err(Failure::system("the agent's directory is too deep"))?;
    helper::link(directory.as_str());
    let calls =
        Calls::listen(socket.as_c_str()).map_err(Failure::system("cannot make the helpers' socket"))?;
    let unblocked = [stdio::stdin(), stdio::stdout()].map(NonBlocking::enter);
    let setting = Setting { invocation, directory: directory.as_str(), link, bytes_per_s };
    let line = Line::new(stdio::stdin(), stdio::stdout());
    let served = Agent::new(setting, line, calls).run();
    // The second was saved after the first was changed, and both may be one open file.
    unblocked.into_iter().rev().for_each(drop);
    let _ = text_file::remove(socket.as_c_str());
    served.map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use core::ffi::CStr;

    use super::*;

    fn parsed(words: &[&CStr]) -> Option<Command> {
        Command::parse(&Invocation { arguments: words, variables: &[], cut: false })
    }

    #[test]
    fn commands_are_recognised_whole() {
        assert_eq!(parsed(&[c"lava-agent", c"console"]), Some(Command::Console(None)));
        assert_eq!(parsed(&[c"lava-agent", c"console", c"--baud", c"0"]), Some(Command::Console(Some(0))));
        assert_eq!(parsed(&[c"lava-agent", c"stdio"]), Some(Command::Stdio));
        assert_eq!(parsed(&[c"lava-agent", c"--version"]), Some(Command::Version));
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong: [&[&CStr]; 5] = [
            &[c"lava-agent"],
            &[c"lava-agent", c"consol"],
            &[c"lava-agent", c"stdio", c"more"],
            &[c"lava-agent", c"console", c"--baud"],
            &[c"lava-agent", c"console", c"--baud", c"fast"],
        ];
        for words in wrong {
            assert_eq!(parsed(words), None, "{words:?}");
        }
    }
}
