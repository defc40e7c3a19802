//! `lava-install-packages`: installs what is not there yet, with the package manager that is.
//!
//! Packages that are installed are not asked for again, so a definition whose dependencies are present needs no network.

use core::ffi::CStr;

use heapless::Vec;

use crate::c_text::CText;
use crate::failure::Failure;
use crate::helper::Context;
use crate::invocation::{Invocation, MAX_ARGUMENTS, MAX_VARIABLES};
use crate::program;

/// A package manager's commands, without package names.
struct Manager {
    program: &'static str,
    refresh: Option<&'static [&'static CStr]>,
    install: &'static [&'static CStr],
    /// Whether `dpkg-query` knows what is installed.
    dpkg: bool,
}

const MANAGERS: &[Manager] = &[
    Manager { program: "apt-get", refresh: Some(&[c"update"]), install: &[c"install", c"-y"], dpkg: true },
    Manager { program: "dnf", refresh: None, install: &[c"install", c"-y"], dpkg: false },
    Manager { program: "yum", refresh: None, install: &[c"install", c"-y"], dpkg: false },
    Manager { program: "zypper", refresh: None, install: &[c"--non-interactive", c"install"], dpkg: false },
    Manager {
        program: "pacman",
        refresh: None,
        install: &[c"-Sy", c"--noconfirm", c"--needed"],
        dpkg: false,
    },
    Manager { program: "apk", refresh: Some(&[c"update"]), install: &[c"add"], dpkg: false },
    Manager { program: "opkg", refresh: Some(&[c"update"]), install: &[c"install"], dpkg: false },
];

pub(crate) fn install(context: &Context<'_>) -> Result<u8, Failure> {
    let invocation = context.invocation;
    if context.arguments.is_empty() || context.arguments.iter().any(|package| !is_package_name(package)) {
        return Err(Failure::Usage("package names are needed"));
    }
    let search = invocation.variable("PATH").unwrap_or(program::DEFAULT_SEARCH);
    let (manager, path) = MANAGERS
        .iter()
        .find_map(|manager| Some((manager, program::find(manager.program, search)?)))
        .ok_or(Failure::Plain("no package manager found (apt-get, dnf, yum, zypper, pacman, apk, opkg)"))?;
    let query = manager.dpkg.then(|| program::find("dpkg-query", search)).flatten();
    let packages = invocation.arguments.iter().copied().skip(1);
    let missing: Vec<&CStr, MAX_ARGUMENTS> = packages
        .filter(|package| {
            !query.as_ref().is_some_and(|query| is_installed(invocation, query.as_c_str(), package))
        })
        .collect();
    if missing.is_empty() {
        return Ok(0);
    }
    if let Some(refresh) = manager.refresh {
        // Lists may be fresh enough already, so a failure here is not the end; the manager has printed why.
        run(invocation, path.as_c_str(), manager, refresh, &[])?;
    }
    run(invocation, path.as_c_str(), manager, manager.install, &missing)
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
    let name = CText::<16>::join(&[manager.program.as_bytes()]).ok_or(Failure::Plain("name too long"))?;
    let mut words: Vec<&CStr, MAX_ARGUMENTS> = Vec::new();
    words
        .push(name.as_c_str())
        .and_then(|()| command.iter().chain(packages).try_for_each(|word| words.push(word)))
        .map_err(|_| Failure::Usage("too many packages"))?;
    let mut variables: Vec<&CStr, { MAX_VARIABLES + 1 }> = invocation.variables.iter().copied().collect();
    variables
        .push(c"DEBIAN_FRONTEND=noninteractive")
        .map_err(|_| Failure::Plain("the environment is too large"))?;
    let status =
        program::run(path, &words, &variables).map_err(Failure::system("cannot run the package manager"))?;
    // A manager that a signal ended has no code of its own.
    Ok(status.exit_status().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
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
