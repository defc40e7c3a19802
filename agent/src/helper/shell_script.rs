//! Helpers that are scripts for the target's own shell: `lava-start-vms`, `lava-wait-for-vms`, `lava-os-build`,
//! `lava-test-shell`, `lava-test-runner`, `lava-installed-packages`, `lava-add-keys`, `lava-add-sources`.
//!
//! They are rare, and little more than calls of other programs, which a shell makes in fewer bytes. What
//! stands in the scripts' files is in the agent, so they are not indented, and what there is to say of them is said here.
//!
//! Definitions that `lava-test-runner` runs by hand have no runner to tell their results: these are printed. LAVA's renames
//! its list of definitions, so that a second run does nothing and passes; this one runs them again.
//!
//! Keys and sources are apt's alone; on another system, LAVA's helpers say that it is not supported and exit with 0, these
//! exit with 1. LAVA's `lava-add-keys` needs gpg, a fixed key server, and `apt-key`, which newer systems no longer have. This
//! one fetches a key with what apt itself brings along, over HTTPS from the key server that `LAVA_KEYSERVER` names, and
//! lays it into apt's directory of trusted keys. What is no key, file or URL is a package of keys, as with LAVA.

use core::ffi::CStr;

use heapless::String;
use protocol::helper::Call;

use crate::decimal::decimal;
use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client;
use crate::helper::script_text::{Script, Scripts};
use crate::invocation::Invocation;
use crate::program::{self, SHELL, Words};

/// Environment variable that tells the helpers of a definition that it is run by hand.
pub(crate) const BY_HAND_VARIABLE: &str = "LAVA_TEST_RUNNER";

/// Tells the group that virtual machines may be started, and the host's address if the environment has it.
pub(crate) fn start_vms(context: &Context<'_>) -> Result<u8, Failure> {
    run(context, Script::StartVms)
}

/// Waits until every member of the group has called it.
pub(crate) fn wait_for_vms(context: &Context<'_>) -> Result<u8, Failure> {
    run(context, Script::WaitForVms)
}

/// Prints the name of the system.
pub(crate) fn os_build(context: &Context<'_>) -> Result<u8, Failure> {
    run(context, Script::OsBuild)
}

/// Runs a command with `LAVA_RESULT_DIR` set and leaves its exit code in `return_code` there. Exits with 0 whatever the
/// command did, as LAVA's does.
pub(crate) fn test_shell(context: &Context<'_>) -> Result<u8, Failure> {
    match context.arguments {
        ["--output_dir", _, _, ..] => run(context, Script::TestShell),
        _ => Err(Failure::Usage("--output_dir, a directory and a command are needed")),
    }
}

/// Runs the definitions that `lava-test-runner.conf` in a directory names, one a line, by absolute paths or relative to it.
pub(crate) fn test_runner(context: &Context<'_>) -> Result<u8, Failure> {
    match context.arguments {
        [_] => run(context, Script::TestRunner),
        _ => Err(Failure::Usage("one directory")),
    }
}

/// Prints a line `package: NAME : VERSION` for every package.
pub(crate) fn installed_packages(context: &Context<'_>) -> Result<u8, Failure> {
    run(context, Script::InstalledPackages)
}

pub(crate) fn add_keys(context: &Context<'_>) -> Result<u8, Failure> {
    match context.arguments {
        [] => Err(Failure::Usage("key ids, URLs, files or packages are needed")),
        _ => run(context, Script::AddKeys),
    }
}

pub(crate) fn add_sources(context: &Context<'_>) -> Result<u8, Failure> {
    match context.arguments {
        [] => Err(Failure::Usage("a source is needed")),
        _ => run(context, Script::AddSources),
    }
}

fn run(context: &Context<'_>, script: Script) -> Result<u8, Failure> {
    let invocation = context.invocation;
    let code = run_with(invocation, Scripts::unpack().get(script), &[])?;
    if code != 0 {
        let mut problem: String<32> = String::new();
        // Both pieces fit.
        let _ = problem.push_str("exit code ").and_then(|()| problem.push_str(&decimal(code.into())));
        client::mention(invocation, &Call::Failed { helper: invocation.name(), problem: &problem });
    }
    Ok(code)
}

/// Runs a script, with `first` before the helper's own arguments, and returns its exit code.
///
/// # Errors
/// If the shell cannot be run.
pub(crate) fn run_with(invocation: &Invocation<'_>, script: &CStr, first: &[&CStr]) -> Result<u8, Failure> {
    let words = words(invocation, script, first).ok_or(Failure::Usage("too many arguments"))?;
    let ended =
        program::run(SHELL, &words, invocation.variables).map_err(Failure::system("cannot run the shell"))?;
    Ok(ended.code())
}

/// The words that run a script, with `first` before the helper's own arguments; none if there are too many.
pub(crate) fn words<'a>(
    invocation: &Invocation<'a>,
    script: &'a CStr,
    first: &[&'a CStr],
) -> Option<Words<'a>> {
    let (name, arguments) = invocation.arguments.split_first()?;
    program::words(&[c"sh", c"-c", script, name], first, arguments)
}
