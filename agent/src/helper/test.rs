//! `lava-test-case`, `lava-test-set`, `lava-test-reference`, `lava-test-raise`, `lava-test-event`, `lava-test-feedback`.
//!
//! Result, measurement and id go to the runner as typed; it reports a malformed one as a failed case. Where definitions
//! are run by hand (`lava-test-runner`) there is no runner to tell, and the results are printed.

use protocol::helper::Call;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::retry_on_intr;

use crate::decimal::decimal;
use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client;
use crate::helper::shell_script::BY_HAND_VARIABLE;
use crate::invocation::Invocation;
use crate::path::PathText;
use crate::program::{self, Command};
use crate::socket::SOCKET_VARIABLE;
use crate::stdio;

/// Arguments of `lava-test-case`.
pub(crate) const CASE_USAGE: &str =
    "ID --result RESULT [--measurement NUMBER] [--units UNITS] [--output FILE] | ID --shell COMMAND...";

/// What `lava-test-case` was asked to do.
#[derive(Debug, Default, PartialEq)]
struct Case<'a> {
    id: &'a str,
    result: Option<&'a str>,
    measurement: Option<&'a str>,
    units: Option<&'a str>,
    /// A file that holds what the case printed.
    output: Option<&'a str>,
    /// Index of the first word of a command among the arguments.
    shell: Option<usize>,
}

impl<'a> Case<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self, Failure> {
        let mut words = arguments.iter().copied().enumerate();
        let (_, id) = words.next().ok_or(Failure::Usage("the test case id is missing"))?;
        if id.is_empty() || id.starts_with("--") {
            return Err(Failure::Usage("the test case id must come first"));
        }
        let mut case = Self { id, ..Self::default() };
        while let Some((_, option)) = words.next() {
            let (index, value) = words.next().ok_or(Failure::Usage("an option lacks its value"))?;
            match option {
                "--shell" => {
                    case.shell = Some(index);
                    break;
                }
                "--result" => case.result = Some(value),
                "--measurement" => case.measurement = Some(value),
                "--units" => case.units = Some(value),
                "--output" => case.output = Some(value),
                _ => return Err(Failure::Usage("unknown option")),
            }
        }
        if case.result.is_some() == case.shell.is_some() {
            return Err(Failure::Usage("either --result or --shell is needed"));
        }
        Ok(case)
    }
}

pub(crate) fn case(context: &Context<'_>) -> Result<u8, Failure> {
    let case = Case::parse(context.arguments)?;
    let result = match (case.result, case.shell) {
        (Some(result), _) => result,
        (None, Some(first)) => {
            tell(context, &Call::TestCaseStarted { id: case.id })?;
            // A command that cannot be run has failed: a case that has begun has a result.
            outcome(context.invocation, first).unwrap_or_else(|failure| {
                failure.say(context.invocation.name());
                "fail"
            })
        }
        (None, None) => return Err(Failure::Usage("either --result or --shell is needed")),
    };
    // What cannot be shown must not cost the result.
    let shown = case.output.map_or(Ok(()), show);
    tell(context, &Call::TestCase { id: case.id, result, measurement: case.measurement, units: case.units })?;
    shown.map(|()| 0)
}

/// Runs the command that begins at argument `first` (from 0, without the program's name).
fn outcome(invocation: &Invocation<'_>, first: usize) -> Result<&'static str, Failure> {
    let words = invocation.arguments.get(first + 1..).unwrap_or_default();
    let Command { path, arguments } =
        Command::new(invocation, words).ok_or(Failure::Usage("too many words"))?;
    let ended = program::run(path.as_c_str(), &arguments, invocation.variables)
        .map_err(Failure::system("cannot run the command"))?;
    if ended.code() == 0 {
        return Ok("pass");
    }
    let (how, number) = match ended.status & 0x7f {
        0 => ("exit code ", ended.code().into()),
        signal => ("signal ", signal.unsigned_abs()),
    };
    stdio::say(
        stdio::stderr(),
        &[invocation.name(), ": the command has ended with ", how, &decimal(number), "\n"],
    );
    Ok("fail")
}

/// Copies a file to standard output, among what the definition prints.
fn show(file: &str) -> Result<(), Failure> {
    let path = PathText::join(&[file.as_bytes()]).ok_or(Failure::Usage("the file's name is too long"))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let unreadable = "cannot read the file of --output";
    let file = rustix::fs::openat(CWD, path.as_c_str(), flags, Mode::empty())
        .map_err(Failure::system(unreadable))?;
    let mut buffer = [0; 4096];
    loop {
        let count = retry_on_intr(|| rustix::io::read(&file, &mut buffer[..]))
            .map_err(Failure::system(unreadable))?;
        if count == 0 {
            return Ok(());
        }
        stdio::write_all(stdio::stdout(), buffer.get(..count).unwrap_or_default())
            .map_err(Failure::system("cannot write to standard output"))?;
    }
}

pub(crate) fn set(context: &Context<'_>) -> Result<u8, Failure> {
    let call = match context.arguments {
        ["start", name] if !name.is_empty() => Call::TestSetStart { name },
        // LAVA's documents name the set here too, and its script takes no notice.
        ["stop", ..] => Call::TestSetStop,
        ["start"] => return Err(Failure::Usage("the name of the set is missing")),
        _ => return Err(Failure::Usage("`start NAME` or `stop`")),
    };
    tell(context, &call)
}

pub(crate) fn reference(context: &Context<'_>) -> Result<u8, Failure> {
    let (id, options) =
        context.arguments.split_first().ok_or(Failure::Usage("the test case id is missing"))?;
    let (["--result", result, "--reference", url] | ["--reference", url, "--result", result]) = options
    else {
        return Err(Failure::Usage("--result and --reference are needed"));
    };
    tell(context, &Call::TestReference { id, result, url })
}

/// Exits with 1 when the runner knows, so that a script that stops at errors stops here.
pub(crate) fn raise(context: &Context<'_>) -> Result<u8, Failure> {
    let [message] = context.arguments else {
        return Err(Failure::Usage("one message, quoted"));
    };
    tell(context, &Call::TestRaise { message })?;
    Ok(1)
}

pub(crate) fn event(context: &Context<'_>) -> Result<u8, Failure> {
    let [message] = context.arguments else {
        return Err(Failure::Usage("one message, quoted"));
    };
    tell(context, &Call::TestEvent { message })
}

/// The runner reads all consoles all the time; it notes that it was asked.
pub(crate) fn feedback(context: &Context<'_>) -> Result<u8, Failure> {
    let ["--namespace", namespace] = context.arguments else {
        return Err(Failure::Usage("--namespace is needed"));
    };
    tell(context, &Call::TestFeedback { namespace })
}

/// Tells the runner, or prints what it would have been told where definitions are run by hand.
fn tell(context: &Context<'_>, call: &Call<'_>) -> Result<u8, Failure> {
    let invocation = context.invocation;
    let by_hand =
        invocation.variable(SOCKET_VARIABLE).is_none() && invocation.variable(BY_HAND_VARIABLE).is_some();
    if !by_hand {
        return client::tell(invocation, call);
    }
    let result;
    let words = match *call {
        Call::TestCaseStarted { .. } => return Ok(0),
        Call::TestCase { id, result: outcome, measurement, units } => {
            result = [id, outcome, measurement.unwrap_or_default(), units.unwrap_or_default()];
            result.as_slice()
        }
        _ => context.arguments,
    };
    stdio::say(stdio::stdout(), &[invocation.name(), ":"]);
    for word in words {
        stdio::say(stdio::stdout(), &[" ", word]);
    }
    stdio::say(stdio::stdout(), &["\n"]);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order() {
        let case = Case::parse(&["boot time", "--units", "s", "--result", "pass", "--measurement", "1.5"]);
        let expected = Case {
            id: "boot time",
            result: Some("pass"),
            measurement: Some("1.5"),
            units: Some("s"),
            output: None,
            shell: None,
        };
        assert_eq!(case.expect("complete"), expected);
    }

    #[test]
    fn everything_behind_shell_is_the_command() {
        let case = Case::parse(&["probe", "--shell", "grep", "--result", "x"]).expect("complete");
        assert_eq!((case.shell, case.result), (Some(2), None));
    }

    #[test]
    fn incomplete_calls_say_what_is_missing() {
        for arguments in [
            &[][..],
            &["--result", "pass"],
            &["id"],
            &["id", "--result"],
            &["id", "--shell"],
            &["id", "--x", "y"],
        ] {
            assert!(matches!(Case::parse(arguments), Err(Failure::Usage(_))), "{arguments:?}");
        }
    }
}
