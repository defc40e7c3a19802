//! Which helpers there are, and how one is run.

use heapless::Vec;
use protocol::helper::Call;
use rustix::fs::CWD;

use crate::failure::Failure;
use crate::helper::{background, client, multinode, network, packages, shell_script, step, target, test};
use crate::invocation::{Invocation, MAX_ARGUMENTS};
use crate::path::PathText;
use crate::stdio;

/// Exit code of a helper that failed.
const EXIT_FAILED: u8 = 1;

/// One helper.
pub(crate) struct Helper {
    name: &'static str,
    usage: &'static str,
    run: fn(&Context<'_>) -> Result<u8, Failure>,
}

/// What a helper knows of its call.
pub(crate) struct Context<'a> {
    /// How the program was called.
    pub(crate) invocation: &'a Invocation<'a>,
    /// Its arguments without the name.
    pub(crate) arguments: &'a [&'a str],
}

const HELPERS: &[Helper] = &[
    Helper { name: "lava-send", usage: "ID [KEY=VALUE...]", run: multinode::send },
    Helper { name: "lava-wait", usage: "ID", run: multinode::wait },
    Helper { name: "lava-wait-all", usage: "ID [ROLE]", run: multinode::wait_all },
    Helper { name: "lava-sync", usage: "ID", run: multinode::sync },
    Helper { name: "lava-group", usage: "[ROLE]", run: multinode::group },
    Helper { name: "lava-role", usage: "[list]", run: multinode::role },
    Helper { name: "lava-self", usage: "", run: multinode::own_name },
    Helper { name: "lava-network", usage: network::USAGE, run: network::network },
    Helper { name: "lava-start-vms", usage: "", run: shell_script::start_vms },
    Helper { name: "lava-wait-for-vms", usage: "", run: shell_script::wait_for_vms },
    Helper { name: "lava-echo-ipv4", usage: "INTERFACE", run: network::echo_ipv4 },
    Helper { name: "lava-echo-config", usage: "[KEY]", run: target::config },
    Helper { name: "lava-target-ip", usage: "", run: target::ip },
    Helper { name: "lava-target-mac", usage: "", run: target::mac },
    Helper { name: "lava-target-storage", usage: "[METHOD]", run: target::storage },
    Helper { name: "lava-probe-ip", usage: "", run: target::probe_ip },
    Helper { name: "lava-probe-channel", usage: "", run: target::probe_channel },
    Helper { name: "lava-os-build", usage: "", run: shell_script::os_build },
    Helper { name: "lava-test-case", usage: test::CASE_USAGE, run: test::case },
    Helper { name: "lava-test-set", usage: "start NAME | stop [NAME]", run: test::set },
    Helper { name: "lava-test-reference", usage: "ID --result RESULT --reference URL", run: test::reference },
    Helper { name: "lava-test-raise", usage: "MESSAGE", run: test::raise },
    Helper { name: "lava-test-event", usage: "MESSAGE", run: test::event },
    Helper { name: "lava-step", usage: step::USAGE, run: step::step },
    Helper { name: "lava-test-feedback", usage: "--namespace NAMESPACE", run: test::feedback },
    Helper {
        name: "lava-test-shell",
        usage: "--output_dir DIRECTORY COMMAND...",
        run: shell_script::test_shell,
    },
    Helper { name: "lava-test-runner", usage: "DIRECTORY", run: shell_script::test_runner },
    Helper { name: "lava-background-process-start", usage: "NAME --cmd COMMAND...", run: background::start },
    Helper { name: "lava-background-process-stop", usage: "NAME", run: background::stop },
    Helper { name: "lava-install-packages", usage: "PACKAGE...", run: packages::install },
    Helper { name: "lava-installed-packages", usage: "", run: shell_script::installed_packages },
    Helper { name: "lava-add-keys", usage: "KEY...", run: shell_script::add_keys },
    Helper { name: "lava-add-sources", usage: "SOURCE", run: shell_script::add_sources },
];

/// Prints the names of all helpers.
pub(crate) fn list() {
    for helper in HELPERS {
        stdio::say(stdio::stdout(), &["  ", helper.name, " ", helper.usage, "\n"]);
    }
}

/// Makes the helpers: links to the agent beside it in the `bin` of its directory.
///
/// What is there already stays, and where nothing can be written the links must have been installed.
pub(crate) fn link(directory: &str) {
    for helper in HELPERS {
        if let Some(path) = PathText::join(&[directory.as_bytes(), b"/bin/", helper.name.as_bytes()]) {
            let _ = rustix::fs::symlinkat(c"lava-agent", CWD, path.as_c_str());
        }
    }
}

/// Finds a helper by the name the program was called by.
pub(crate) fn find(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// Runs a helper and returns the exit code.
pub(crate) fn run(helper: &Helper, invocation: &Invocation<'_>) -> u8 {
    match arguments(invocation)
        .and_then(|arguments| (helper.run)(&Context { invocation, arguments: &arguments }))
    {
        Ok(code) => code,
        Err(failure) => {
            failure.say(helper.name);
            if let Failure::Usage(problem) = failure {
                stdio::say(stdio::stderr(), &["usage: ", helper.name, " ", helper.usage, "\n"]);
                client::mention(invocation, &Call::BadCall { helper: helper.name, problem });
            }
            EXIT_FAILED
        }
    }
}

fn arguments<'a>(invocation: &Invocation<'a>) -> Result<Vec<&'a str, MAX_ARGUMENTS>, Failure> {
    if invocation.cut {
        return Err(Failure::Usage("too many arguments"));
    }
    let mut arguments = Vec::new();
    for argument in invocation.arguments.iter().skip(1) {
        let argument = argument.to_str().map_err(|_| Failure::Usage("an argument is not UTF-8"))?;
        arguments.push(argument).map_err(|_| Failure::Usage("too many arguments"))?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helpers_are_those_that_the_protocol_names() {
        let names: Vec<&str, 64> = HELPERS.iter().map(|helper| helper.name).collect();
        assert_eq!(names, protocol::helper::NAMES);
    }

    #[test]
    fn every_helper_is_found_by_its_own_name_only() {
        for helper in HELPERS {
            assert_eq!(find(helper.name).map(|found| found.name), Some(helper.name));
        }
        assert!(find("lava-agent").is_none());
        assert!(find("lava-wai").is_none());
    }
}
