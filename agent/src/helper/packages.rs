//! `lava-install-packages`: installs what is not there yet, with the package manager that is.
//!
//! Packages that are installed are not asked for again, so a definition whose dependencies are present needs no network.
//! Definitions run beside each other on one board, on its console and in SSH connections: their installations take
//! turns, and whoever comes later asks again what is missing by then.
//!
//! What calls the package manager is a script for the target's shell. It asks nothing and draws no progress, waits for other
//! users of dpkg, and keeps configuration files that are there already. It tries five times, as LAVA does, but only while
//! the manager cannot update its lists: a package that is not in fresh lists will not be there later. By default, apt takes
//! lists that it cannot fetch for no failure, and pacman does not support newer packages beside old ones.

use core::ffi::CStr;

use protocol::helper::Call;

use crate::clock;
use crate::decimal::decimal;
use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client;
use crate::helper::script_text::{Script, Scripts};
use crate::helper::shell_script::{run_with, words};
use crate::helper::turn::{self, Turn};
use crate::invocation::Invocation;
use crate::path::PathText;
use crate::program::{self, SHELL};
use crate::stdio;

/// How long others may use the package manager first, in milliseconds: long enough to install a tool chain on a slow
/// board. apt is told the same in seconds.
const PATIENCE_MS: u64 = 600_000;

/// The lock of `apt-get update`, which does not wait for it.
const APT_LISTS_LOCK: &CStr = c"/var/lib/apt/lists/lock";

/// Longest explanation of a failure that the runner is told, in bytes.
const MAX_PROBLEM: usize = 1024;

pub(crate) fn install(context: &Context<'_>) -> Result<u8, Failure> {
    let invocation = context.invocation;
    if context.arguments.is_empty() || context.arguments.iter().any(|package| !is_package_name(package)) {
        return Err(Failure::Usage("package names are needed"));
    }
    // It says with its exit code whether all packages are there (`check`), installs them (`install`), or explains on
    // standard output what is missing after an exit code (the code).
    let scripts = Scripts::unpack();
    let script = scripts.get(Script::InstallPackages);
    if run_with(invocation, script, &[c"check"])? == 0 {
        return Ok(0);
    }
    let _turn = take_turn().map_err(Failure::system("cannot wait for another installation on this board"))?;
    let code = run_with(invocation, script, &[c"install"])?;
    if code != 0 {
        complain(invocation, script, code);
    }
    Ok(code)
}

/// Waits for other helpers, and for a program that updates apt's lists, for which apt does not wait itself.
fn take_turn() -> rustix::io::Result<Turn> {
    let deadline_ms = clock::monotonic_ms().saturating_add(PATIENCE_MS);
    let wait = &mut || say("waiting for another installation on this board");
    let turn = Turn::take(b"host-runner/packages", deadline_ms, wait)?;
    turn::wait_for_file(APT_LISTS_LOCK, deadline_ms, wait)?;
    Ok(turn)
}

/// Says which packages are not there, also to the runner, which would know the exit code alone.
fn complain(invocation: &Invocation<'_>, script: &CStr, code: u8) {
    let mut buffer = [0; MAX_PROBLEM];
    let problem = explanation(invocation, script, code, &mut buffer).unwrap_or_default().trim_ascii_end();
    say(problem);
    client::mention(invocation, &Call::Failed { helper: invocation.name(), problem });
}

/// Has the script explain an exit code. What does not fit is cut: the manager's own words are in the output.
fn explanation<'b>(
    invocation: &Invocation<'_>,
    script: &CStr,
    code: u8,
    buffer: &'b mut [u8],
) -> Option<&'b str> {
    let mode = PathText::join(&[decimal(code.into()).as_bytes()])?;
    let words = words(invocation, script, &[mode.as_c_str()])?;
    let text = program::capture(SHELL, &words, invocation.variables, buffer).ok()?;
    core::str::from_utf8(text).ok()
}

fn say(text: &str) {
    stdio::say(stdio::stderr(), &["lava-install-packages: ", text, "\n"]);
}

/// Whether this can be a package's name, and not an option that a package manager would obey.
fn is_package_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_not_package_names() {
        assert!(is_package_name("openssh-server"));
        assert!(is_package_name("7zip"));
        assert!(!is_package_name("--force-yes"));
        assert!(!is_package_name(""));
    }
}
