//! `lava-test-case`, `lava-test-set`, `lava-test-reference`, `lava-test-raise`, `lava-test-event`.
//!
//! Result, measurement and id go to the runner as typed; it reports a malformed one as a failed case.

use core::ffi::CStr;

use protocol::helper::Call;

use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client::Client;
use crate::invocation::Invocation;
use crate::program;

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
                // LAVA copies this file into a directory that nobody collects.
                "--output" => {}
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
    let client = Client::connect(context.invocation)?;
    let result = match (case.result, case.shell) {
        (Some(result), _) => result,
        (None, Some(first)) => outcome(context.invocation, first)?,
        (None, None) => return Err(Failure::Usage("either --result or --shell is needed")),
    };
    client.tell(&Call::TestCase { id: case.id, result, measurement: case.measurement, units: case.units })?;
    Ok(0)
}

/// Runs the command that begins at argument `first` (from 0, without the program's name).
///
/// One word is a line for the shell; several are a program and its arguments.
fn outcome(invocation: &Invocation<'_>, first: usize) -> Result<&'static str, Failure> {
    let words = invocation.arguments.get(first + 1..).unwrap_or_default();
    let run = |path: &CStr, words: &[&CStr]| {
        program::run(path, words, invocation.variables).map_err(Failure::system("cannot run the command"))
    };
    let ended = match words {
        [line] => run(c"/bin/sh", &[c"sh", c"-c", line])?,
        [name, ..] => {
            let search = invocation.variable("PATH").unwrap_or(program::DEFAULT_SEARCH);
            match program::find(name.to_str().unwrap_or_default(), search) {
                Some(path) => run(path.as_c_str(), words)?,
                None => {
                    Failure::Plain("command not found").say(name.to_str().unwrap_or_default());
                    return Ok("fail");
                }
            }
        }
        [] => return Err(Failure::Usage("--shell needs a command")),
    };
    Ok(if ended.code() == Some(0) { "pass" } else { "fail" })
}

pub(crate) fn set(context: &Context<'_>) -> Result<u8, Failure> {
    let call = match context.arguments {
        ["start", name] if !name.is_empty() => Call::TestSetStart { name },
        ["stop"] => Call::TestSetStop,
        ["start"] => return Err(Failure::Usage("the name of the set is missing")),
        _ => return Err(Failure::Usage("`start NAME` or `stop`")),
    };
    Client::connect(context.invocation)?.tell(&call)?;
    Ok(0)
}

pub(crate) fn reference(context: &Context<'_>) -> Result<u8, Failure> {
    let (id, options) =
        context.arguments.split_first().ok_or(Failure::Usage("the test case id is missing"))?;
    let (["--result", result, "--reference", url] | ["--reference", url, "--result", result]) = options
    else {
        return Err(Failure::Usage("--result and --reference are needed"));
    };
    Client::connect(context.invocation)?.tell(&Call::TestReference { id, result, url })?;
    Ok(0)
}

/// Exits with 1 when the runner knows, so that a script that stops at errors stops here.
pub(crate) fn raise(context: &Context<'_>) -> Result<u8, Failure> {
    let [message] = context.arguments else {
        return Err(Failure::Usage("one message, quoted"));
    };
    Client::connect(context.invocation)?.tell(&Call::TestRaise { message })?;
    Ok(1)
}

pub(crate) fn event(context: &Context<'_>) -> Result<u8, Failure> {
    let [message] = context.arguments else {
        return Err(Failure::Usage("one message, quoted"));
    };
    Client::connect(context.invocation)?.tell(&Call::TestEvent { message })?;
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
