//! The command line of `lava-agent` itself.

use protocol::version;
use rustix::fs::{CWD, Mode};

use crate::agent::{Agent, Setting};
use crate::environment::{SOCKET_NAME, TOKEN_VARIABLE};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::line::{Line, Runner};
use crate::path::PathText;
use crate::receive_file::joined;
use crate::socket::Calls;
use crate::terminal::{NonBlocking, RawTerminal};
use crate::{fifo, helper, path, runtime, stdio};

const HELP: &str = "\
lava-agent: runs test definitions on a board for host-runner

usage: lava-agent console|stdio|fifo [--baud RATE] [--directory DIR]
       LAVA_AGENT_TOKEN=TOKEN lava-agent tcp --runner ADDRESS:PORT [--directory DIR]
       lava-agent --help | --version

console speaks to the runner over the terminal on standard input, stdio over a pipe
or socket, fifo in the background over line.in and line.out in DIR, tcp over a
connection that it makes, again if it breaks. RATE is the line's speed in bits per
second, without it or with 0 the line has none (an emulator). DIR is made, and is
where the socket goes and the runner's files.

Under these names it is a helper for test definitions:
";

/// Exit code for a wrong command line.
const EXIT_USAGE: u8 = 2;

/// Exit code of an agent that lost its runner.
const EXIT_LOST: u8 = 1;

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

/// What `--version` prints, the oldest and the newest protocol at its end. In one piece: installers find it in the program.
const VERSION: &str =
    concat!("lava-agent ", env!("CARGO_PKG_VERSION"), " ", env!("AGENT_ARCH"), " protocol 1-1\n");

const _: () = {
    let [.., min, b'-', current, b'\n'] = VERSION.as_bytes() else { panic!("VERSION ends with two digits") };
    assert!(*min == b'0' + version::MIN && *current == b'0' + version::CURRENT);
};

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command<'a> {
    Help,
    Version,
    Serve(Service<'a>),
}

/// How to speak to the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Service<'a> {
    /// `console`, `stdio`, `fifo` or `tcp`.
    link: &'a str,
    /// The line's speed in bits per second; 0 if it has none.
    baud: u32,
    /// Where the runner listens, for `tcp`.
    runner: Option<Runner<'a>>,
    /// The agent's directory, where it is not the one that the agent was started from.
    directory: Option<&'a str>,
}

impl<'a> Command<'a> {
    fn parse(invocation: &Invocation<'a>) -> Option<Self> {
        let mut words = invocation.arguments.iter().skip(1).map(|word| word.to_str().unwrap_or_default());
        let command = match words.next()? {
            "--help" | "-h" | "help" => Self::Help,
            "--version" | "-V" => Self::Version,
            link @ ("stdio" | "console" | "fifo" | "tcp") => {
                let mut service = Service { link, baud: 0, runner: None, directory: None };
                while let Some(option) = words.next() {
                    let value = words.next()?;
                    match option {
                        "--baud" => service.baud = value.parse().ok()?,
                        "--runner" => {
                            service.runner =
                                Some(Runner::parse(value, invocation.variable(TOKEN_VARIABLE)?)?);
                        }
                        "--directory" => service.directory = Some(value),
                        _ => return None,
                    }
                }
                if service.runner.is_some() != (link == "tcp") {
                    return None;
                }
                Self::Serve(service)
            }
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
            stdio::say(stdio::stdout(), &[VERSION]);
            Ok(())
        }
        Some(Command::Serve(service)) => serve(invocation, service),
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

fn serve(invocation: &Invocation<'_>, service: Service<'_>) -> Result<(), Failure> {
    let _terminal = if service.link == "console" {
        let entered = RawTerminal::enter(stdio::stdin());
        Some(entered.map_err(Failure::system("standard input is no terminal"))?)
    } else {
        None
    };
    runtime::shield_from_signals();
    let directory = directory(invocation, service.directory)
        .ok_or(Failure::Plain("it has no directory that is its own alone"))?;
    let socket = joined(directory.as_str(), SOCKET_NAME)
        .map_err(Failure::system("the agent's directory is too deep"))?;
    helper::link(directory.as_str());
    let calls =
        Calls::listen(socket.as_c_str()).map_err(Failure::system("cannot make the helpers' socket"))?;
    if service.link == "fifo" {
        fifo::enter(directory.as_str()).map_err(Failure::system("cannot go on in the background"))?;
    }
    // The line is not there yet that is a connection, and what is in its place is a console that others use.
    let unblocked =
        [stdio::stdin(), stdio::stdout()].map(|fd| service.runner.is_none().then(|| NonBlocking::enter(fd)));
    let bytes_per_s = Some(service.baud / BITS_PER_BYTE).filter(|rate| *rate > 0);
    let setting = Setting { invocation, directory: directory.as_str(), link: service.link, bytes_per_s };
    let line = Line::new(service.runner);
    let served = Agent::new(setting, line, calls).run();
    // The second was saved after the first was changed, and both may be one open file.
    unblocked.into_iter().rev().for_each(drop);
    served.map_err(Failure::from)
}

/// The agent's directory: `given`, which is made and whose `bin` leads to the agent's own, or the one that it was
/// started from.
fn directory(invocation: &Invocation<'_>, given: Option<&str>) -> Option<PathText> {
    let own = path::own_directory(invocation)?;
    let Some(given) = given else { return Some(own) };
    let directory = PathText::join(&[given.as_bytes()])?;
    // Both are there already when an earlier step has run; that nothing can be made, the socket tells.
    let _ = rustix::fs::mkdirat(CWD, directory.as_c_str(), Mode::RWXU);
    // Whoever else could write into it could lay links there.
    let (owner, mode) = runtime::owner_and_mode(directory.as_c_str(), false).ok()?;
    if owner != rustix::process::geteuid().as_raw() || mode & 0o022 != 0 {
        return None;
    }
    let (bin, link) = (joined(own.as_str(), "bin").ok()?, joined(given, "bin").ok()?);
    let _ = rustix::fs::symlinkat(bin.as_c_str(), CWD, link.as_c_str());
    Some(directory)
}

#[cfg(test)]
mod tests {
    use core::ffi::CStr;

    use super::*;

    fn parsed<'a>(words: &'a [&'a CStr]) -> Option<Command<'a>> {
        Command::parse(&Invocation { arguments: words, variables: &[], cut: false })
    }

    fn serving<'a>(link: &'a str, baud: u32, directory: Option<&'a str>) -> Option<Command<'a>> {
        Some(Command::Serve(Service { link, baud, runner: None, directory }))
    }

    #[test]
    fn commands_are_recognised_whole() {
        assert_eq!(parsed(&[c"lava-agent", c"console"]), serving("console", 0, None));
        assert_eq!(parsed(&[c"lava-agent", c"console", c"--baud", c"9600"]), serving("console", 9600, None));
        assert_eq!(parsed(&[c"lava-agent", c"stdio"]), serving("stdio", 0, None));
        let both = [c"lava-agent", c"console", c"--directory", c"/lava-7", c"--baud", c"0"];
        assert_eq!(parsed(&both), serving("console", 0, Some("/lava-7")));
        assert_eq!(parsed(&[c"lava-agent", c"--version"]), Some(Command::Version));
        let runner = Runner::parse("10.0.0.1:4000", "t");
        let service = Service { link: "tcp", baud: 0, runner, directory: None };
        let arguments: &[&CStr] = &[c"lava-agent", c"tcp", c"--runner", c"10.0.0.1:4000"];
        let mut invocation = Invocation { arguments, variables: &[c"LAVA_AGENT_TOKEN=t"], cut: false };
        assert_eq!(Command::parse(&invocation), Some(Command::Serve(service)));
        invocation.variables = &[];
        assert_eq!(Command::parse(&invocation), None, "without the token");
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong: [&[&CStr]; 10] = [
            &[c"lava-agent"],
            &[c"lava-agent", c"consol"],
            &[c"lava-agent", c"stdio", c"more"],
            &[c"lava-agent", c"--version", c"--baud"],
            &[c"lava-agent", c"console", c"--baud"],
            &[c"lava-agent", c"console", c"--baud", c"fast"],
            &[c"lava-agent", c"stdio", c"--directory"],
            &[c"lava-agent", c"tcp"],
            &[c"lava-agent", c"tcp", c"--runner", c"bench:4000"],
            &[c"lava-agent", c"stdio", c"--runner", c"10.0.0.1:4000"],
        ];
        for words in wrong {
            assert_eq!(parsed(words), None, "{words:?}");
        }
    }

    #[test]
    fn a_directory_of_its_own_is_made_private_and_leads_to_the_agents_program() {
        let directory = std::env::temp_dir().join(format!("lava-directory-{}", std::process::id()));
        let name = directory.to_str().expect("UTF-8");
        let invocation = Invocation { arguments: &[c"lava-agent"], variables: &[], cut: false };
        for _ in 0..2 {
            let made = super::directory(&invocation, Some(name)).expect("short");
            assert_eq!(made.as_str(), name);
        }
        let mode = std::fs::metadata(&directory).expect("made").permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o700);
        let own = path::own_directory(&invocation).expect("a test has a path");
        let bin = std::fs::read_link(directory.join("bin")).expect("made");
        std::fs::remove_dir_all(&directory).expect("own directory");
        assert_eq!(bin.to_str(), Some(format!("{}/bin", own.as_str()).as_str()));
    }
}
