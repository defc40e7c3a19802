//! A script's environment: the agent's own, with what the helpers need.

use core::ffi::CStr;

use heapless::Vec;
use rustix::process::Pid;

use crate::c_text::CText;
use crate::decimal::decimal;
use crate::invocation::Invocation;
use crate::path::PathText;
use crate::program::DEFAULT_SEARCH;
use crate::socket::{LINK_VARIABLE, PROCESS_VARIABLE, RUN_VARIABLE, SOCKET_VARIABLE};

/// Longest search path, with its name and NUL.
const MAX_SEARCH: usize = 4096;

/// Environment variable with what an agent that connects to the runner says first. Not an argument, which everybody on the
/// board can read; and not for scripts, whose services may run for others.
pub(crate) const TOKEN_VARIABLE: &str = "LAVA_AGENT_TOKEN";

/// Name of the agent's socket in its directory.
pub(crate) const SOCKET_NAME: &str = "agent.sock";

/// Lists `additions` and the inherited variables that these do not set anew; none if there are too many.
pub(crate) fn with<'v, const N: usize>(
    invocation: &Invocation<'v>,
    additions: &[&'v CStr],
) -> Option<Vec<&'v CStr, N>> {
    let is_replaced = |variable: &CStr| {
        let set = |addition: &&CStr| {
            let name = addition.to_bytes().split_inclusive(|byte| *byte == b'=').next();
            name.is_some_and(|name| variable.to_bytes().starts_with(name))
        };
        additions.iter().any(set)
    };
    let inherited = invocation.variables.iter().filter(|variable| !is_replaced(variable));
    let mut variables = Vec::new();
    additions.iter().chain(inherited).try_for_each(|variable| variables.push(*variable)).ok()?;
    Some(variables)
}

/// The variables that the agent sets.
pub(crate) struct Additions {
    search: CText<MAX_SEARCH>,
    socket: PathText,
    process: PathText,
    link: PathText,
    run: PathText,
    cache: PathText,
}

impl Additions {
    /// Works the variables out; none if they are too long.
    ///
    /// `directory` and `process` are the agent's, `link` what its link runs over, `run` the script's number.
    pub(crate) fn new(
        invocation: &Invocation<'_>,
        directory: &str,
        process: Pid,
        link: &str,
        run: u32,
    ) -> Option<Self> {
        let run = decimal(run);
        let process = decimal(process.as_raw_nonzero().get().unsigned_abs());
        let inherited = invocation.variable("PATH").unwrap_or(DEFAULT_SEARCH);
        let directory = directory.as_bytes();
        Some(Self {
            search: CText::join(&[b"PATH=", directory, b"/bin:", inherited.as_bytes()])?,
            socket: CText::join(&[
                SOCKET_VARIABLE.as_bytes(),
                b"=",
                directory,
                b"/",
                SOCKET_NAME.as_bytes(),
            ])?,
            process: CText::join(&[PROCESS_VARIABLE.as_bytes(), b"=", process.as_bytes()])?,
            link: CText::join(&[LINK_VARIABLE.as_bytes(), b"=", link.as_bytes()])?,
            run: CText::join(&[RUN_VARIABLE.as_bytes(), b"=", run.as_bytes()])?,
            cache: CText::join(&[b"LAVA_MULTI_NODE_CACHE=", directory, b"/multi_node_cache.txt"])?,
        })
    }

    /// Lists these and the inherited variables that they do not set anew; none if there are too many.
    pub(crate) fn merge<'v, const N: usize>(
        &'v self,
        invocation: &Invocation<'v>,
    ) -> Option<Vec<&'v CStr, N>> {
        let Self { search, socket, process, link, run, cache } = self;
        let [socket, process, link, run, cache] = [socket, process, link, run, cache].map(PathText::as_c_str);
        // Instead of the agent's own.
        let no_token = c"LAVA_AGENT_TOKEN=";
        with(invocation, &[search.as_c_str(), socket, process, link, run, no_token, cache])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid() -> Pid {
        Pid::from_raw(4711).expect("not 0")
    }

    #[test]
    fn the_agents_variables_replace_inherited_ones_and_the_rest_stays() {
        let invocation = Invocation {
            arguments: &[],
            variables: &[
                c"HOME=/root",
                c"PATH=/sbin:/bin",
                c"LAVA_AGENT_SOCKET=/old",
                c"A=b=c",
                c"LAVA_AGENT_TOKEN=t",
            ],
            cut: false,
        };
        let additions = Additions::new(&invocation, "/lava-7", pid(), "console", 3).expect("short");
        let variables: Vec<&CStr, 16> = additions.merge(&invocation).expect("room");
        let expected = [
            c"PATH=/lava-7/bin:/sbin:/bin",
            c"LAVA_AGENT_SOCKET=/lava-7/agent.sock",
            c"LAVA_AGENT_PID=4711",
            c"LAVA_AGENT_LINK=console",
            c"LAVA_AGENT_RUN=3",
            c"LAVA_AGENT_TOKEN=",
            c"LAVA_MULTI_NODE_CACHE=/lava-7/multi_node_cache.txt",
            c"HOME=/root",
            c"A=b=c",
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn without_a_search_path_there_is_a_usual_one() {
        let invocation = Invocation { arguments: &[], variables: &[], cut: false };
        let additions = Additions::new(&invocation, "/lava-7", pid(), "stdio", 3).expect("short");
        assert!(additions.search.as_str().starts_with("PATH=/lava-7/bin:/usr/local/sbin:"));
    }

    #[test]
    fn a_list_without_room_is_refused() {
        let invocation = Invocation { arguments: &[], variables: &[c"A=1", c"B=2"], cut: false };
        let additions = Additions::new(&invocation, "/lava-7", pid(), "stdio", 3).expect("short");
        assert!(additions.merge::<7>(&invocation).is_none());
    }
}
