//! `lava-install-packages`: installs what is not there yet, with the package manager that is.
//!
//! Packages that are installed are not asked for again, so a definition whose dependencies are present needs no network.
//! Definitions run beside each other on one board, on its console and in SSH connections: their installations take
//! turns, and whoever comes later asks again what is missing by then.

use core::ffi::CStr;

use heapless::{String, Vec};
use protocol::helper::Call;

use crate::clock;
use crate::decimal::decimal;
use crate::environment::{self, Variables};
use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client;
use crate::helper::turn::{self, Turn};
use crate::invocation::{Invocation, MAX_ARGUMENTS};
use crate::path::PathText;
use crate::program;
use crate::stdio;

/// How long others may use the package manager first, in milliseconds: long enough to install a tool chain on a slow
/// board. apt is told the same in seconds.
const PATIENCE_MS: u64 = 600_000;

/// The lock of `apt-get update`, which does not wait for it.
const APT_LISTS_LOCK: &CStr = c"/var/lib/apt/lists/lock";

/// How often an installation is tried while the network does not give fresh lists, and the pause between: LAVA's numbers.
const TRIES: u32 = 5;
const PAUSE_S: u32 = 60;

/// Environment variable with another pause, in seconds.
const PAUSE_VARIABLE: &str = "LAVA_PACKAGES_PAUSE";

/// Longest explanation of a failure that the runner is told, in bytes.
const MAX_PROBLEM: usize = 1024;

type Names<'a> = Vec<&'a CStr, MAX_ARGUMENTS>;

/// A package manager's commands, without package names.
struct Manager {
    program: &'static CStr,
    refresh: &'static [&'static CStr],
    install: &'static [&'static CStr],
    /// Whether this is apt, whose locks are known, and `dpkg-query` knows what is installed.
    apt: bool,
}

/// By default, apt takes lists that it cannot fetch for no failure.
const APT_UPDATE: &[&CStr] = &[c"update", c"-oAPT::Update::Error-Mode=any"];

/// Asks nothing and draws no progress: waits for other users of dpkg, and keeps configuration files that are there
/// already.
const APT_INSTALL: &[&CStr] = &[
    c"install",
    c"-y",
    c"-oDPkg::Use-Pty=0",
    c"-oDPkg::Lock::Timeout=600",
    c"-oAcquire::Retries=4",
    c"-oDPkg::Options::=--force-confdef",
    c"-oDPkg::Options::=--force-confold",
];

impl Manager {
    fn name(&self) -> &'static str {
        self.program.to_str().unwrap_or_default()
    }
}

const MANAGERS: &[Manager] = &[
    Manager { program: c"apt-get", refresh: APT_UPDATE, install: APT_INSTALL, apt: true },
    Manager { program: c"dnf", refresh: &[], install: &[c"install", c"-y"], apt: false },
    Manager { program: c"yum", refresh: &[], install: &[c"install", c"-y"], apt: false },
    Manager { program: c"zypper", refresh: &[], install: &[c"--non-interactive", c"install"], apt: false },
    // With the upgrade of the rest: newer packages beside old ones are what pacman does not support.
    Manager {
        program: c"pacman",
        refresh: &[],
        install: &[c"-Syu", c"--noconfirm", c"--needed"],
        apt: false,
    },
    Manager { program: c"apk", refresh: &[c"update"], install: &[c"add"], apt: false },
    Manager { program: c"opkg", refresh: &[c"update"], install: &[c"install"], apt: false },
    Manager {
        program: c"slackpkg",
        refresh: &[c"-batch=on", c"-default_answer=y", c"update"],
        install: &[c"-batch=on", c"-default_answer=y", c"install"],
        apt: false,
    },
];

pub(crate) fn install(context: &Context<'_>) -> Result<u8, Failure> {
    let invocation = context.invocation;
    if context.arguments.is_empty() || context.arguments.iter().any(|package| !is_package_name(package)) {
        return Err(Failure::Usage("package names are needed"));
    }
    let search = invocation.variable("PATH").unwrap_or(program::DEFAULT_SEARCH);
    let (manager, path) = MANAGERS
        .iter()
        .find_map(|manager| Some((manager, program::find(manager.name(), search)?)))
        .ok_or(Failure::Plain(
            "no package manager found (apt-get, dnf, yum, zypper, pacman, apk, opkg, slackpkg)",
        ))?;
    let query = manager.apt.then(|| program::find("dpkg-query", search)).flatten();
    let asked = invocation.arguments.get(1..).unwrap_or_default();
    if missing(invocation, query.as_ref(), asked).is_empty() {
        return Ok(0);
    }
    let deadline_ms = clock::monotonic_ms().saturating_add(PATIENCE_MS);
    let _turn = take_turn(manager, deadline_ms)
        .map_err(Failure::system("cannot wait for another installation on this board"))?;
    let mut tries = 1;
    loop {
        let missing_now = missing(invocation, query.as_ref(), asked);
        if missing_now.is_empty() {
            return Ok(0);
        }
        let refreshed = refresh(invocation, path.as_c_str(), manager)?;
        let code = run(invocation, path.as_c_str(), manager, manager.install, &missing_now)?;
        if code == 0 {
            return Ok(0);
        }
        // A package that is not in fresh lists will not be there later.
        if refreshed || tries == TRIES {
            complain(invocation, manager, code, &missing(invocation, query.as_ref(), &missing_now));
            return Ok(code);
        }
        tries += 1;
        let pause_s = pause_s(invocation);
        say(&["trying again in ", &decimal(pause_s), " s"]);
        turn::pause(u64::from(pause_s) * 1_000);
    }
}

/// Updates the manager's lists, if it does not do that by itself; whether they are fresh.
fn refresh(invocation: &Invocation<'_>, path: &CStr, manager: &Manager) -> Result<bool, Failure> {
    if manager.refresh.is_empty() {
        return Ok(true);
    }
    let code = run(invocation, path, manager, manager.refresh, &[])?;
    if code != 0 {
        // The old ones may do; the manager has printed why it could not update them.
        say(&[manager.name(), " could not update its lists (exit code ", &decimal(code.into()), ")"]);
    }
    Ok(code == 0)
}

/// Seconds between two tries.
fn pause_s(invocation: &Invocation<'_>) -> u32 {
    invocation.variable(PAUSE_VARIABLE).and_then(|text| text.parse().ok()).unwrap_or(PAUSE_S)
}

/// Waits for other helpers, and for a program that updates apt's lists, for which apt does not wait itself.
fn take_turn(manager: &Manager, deadline_ms: u64) -> rustix::io::Result<Turn> {
    let wait = &mut || say(&["waiting for another installation on this board"]);
    let turn = Turn::take(b"host-runner/packages", deadline_ms, wait)?;
    if manager.apt {
        turn::wait_for_file(APT_LISTS_LOCK, deadline_ms, wait)?;
    }
    Ok(turn)
}

/// Says which packages are not there, also to the runner, which would know the exit code alone.
fn complain(invocation: &Invocation<'_>, manager: &Manager, code: u8, missing: &[&CStr]) {
    let mut problem: String<MAX_PROBLEM> = String::new();
    // What does not fit is cut: the manager's own words are in the output.
    let mut push = |piece: &str| {
        let _ = problem.push_str(piece);
    };
    push(manager.name());
    push(" ended with exit code ");
    push(&decimal(code.into()));
    push("; not installed:");
    for package in missing {
        push(" ");
        push(package.to_str().unwrap_or_default());
    }
    say(&[&problem]);
    client::mention(invocation, &Call::Failed { helper: invocation.name(), problem: &problem });
}

fn say(pieces: &[&str]) {
    let stderr = stdio::stderr();
    stdio::say(stderr, &["lava-install-packages: "]);
    stdio::say(stderr, pieces);
    stdio::say(stderr, &["\n"]);
}

/// Those of `packages` that are not installed, as far as that can be known.
fn missing<'a>(invocation: &Invocation<'_>, query: Option<&PathText>, packages: &[&'a CStr]) -> Names<'a> {
    let is_missing =
        |package: &&CStr| !query.is_some_and(|query| is_installed(invocation, query.as_c_str(), package));
    packages.iter().copied().filter(is_missing).collect()
}

/// Whether this can be a package's name, and not an option that a package manager would obey.
fn is_package_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_installed(invocation: &Invocation<'_>, query: &CStr, package: &CStr) -> bool {
    let words = [c"dpkg-query", c"-W", c"-f", c"${db:Status-Status}\n", package];
    let mut buffer = [0; 64];
    program::capture(query, &words, invocation.variables, &mut buffer)
        .is_ok_and(|status| status.starts_with(b"installed\n"))
}

/// Runs the package manager and returns its exit code.
fn run(
    invocation: &Invocation<'_>,
    path: &CStr,
    manager: &Manager,
    command: &[&CStr],
    packages: &[&CStr],
) -> Result<u8, Failure> {
    let words =
        program::words(&[manager.program], command, packages).ok_or(Failure::Usage("too many packages"))?;
    let variables: Variables<'_> = environment::with(invocation, &[c"DEBIAN_FRONTEND=noninteractive"])
        .ok_or(Failure::Plain("the environment is too large"))?;
    let ended =
        program::run(path, &words, &variables).map_err(Failure::system("cannot run the package manager"))?;
    Ok(ended.code())
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
