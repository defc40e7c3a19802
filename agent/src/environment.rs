//! A script's environment: the agent's own, with what the helpers need.

use core::ffi::CStr;

use heapless::Vec;

use crate::c_text::CText;
use crate::invocation::{Invocation, value_of};
use crate::path::PathText;
use crate::program::DEFAULT_SEARCH;
use crate::socket::{LINK_VARIABLE, SOCKET_VARIABLE};

/// Longest search path, with its name and NUL.
const MAX_SEARCH: usize = 4096;

/// Name of the agent's socket in its directory.
pub(crate) const SOCKET_NAME: &str = "agent.sock";

/// The variables that the agent sets.
pub(crate) struct Additions {
    search: CText<MAX_SEARCH>,
    socket: PathText,
    link: PathText,
    cache: PathText,
}

impl Additions {
    /// Works the variables out; none if they are too long.
    ///
    /// `directory` is the agent's, `link` what its link runs over.
    pub(crate) fn new(invocation: &Invocation<'_>, directory: &str, link: &str) -> Option<Self> {
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
            link: CText::join(&[LINK_VARIABLE.as_bytes(), b"=", link.as_bytes()])?,
            cache: CText::join(&[b"LAVA_MULTI_NODE_CACHE=", directory, b"/multi_node_cache.txt"])?,
        })
    }

    /// Lists the inherited variables that are not set anew, and these; whether all found room.
    pub(crate) fn merge<'v, const N: usize>(
        &'v self,
        invocation: &Invocation<'v>,
        variables: &mut Vec<&'v CStr, N>,
    ) -> bool {
        let own = [&self.socket, &self.link, &self.cache].map(PathText::as_c_str);
        let is_replaced = |variable: &CStr| {
            ["PATH", SOCKET_VARIABLE, LINK_VARIABLE, "LAVA_MULTI_NODE_CACHE"]
                .iter()
                .any(|name| value_of(variable.to_bytes(), name).is_some())
        };
        let inherited = invocation.variables.iter().copied().filter(|variable| !is_replaced(variable));
        [self.search.as_c_str()]
            .into_iter()
            .chain(own)
            .chain(inherited)
            .all(|variable| variables.push(variable).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_variables_replace_inherited_ones_and_the_rest_stays() {
        let invocation = Invocation {
            arguments: &[],
            variables: &[c"HOME=/root", c"PATH=/sbin:/bin", c"LAVA_AGENT_SOCKET=/old", c"A=b=c"],
            cut: false,
        };
        let additions = Additions::new(&invocation, "/lava-7", "console").expect("short");
        let mut variables: Vec<&CStr, 16> = Vec::new();
        assert!(additions.merge(&invocation, &mut variables));
        let expected = [
            c"PATH=/lava-7/bin:/sbin:/bin",
            c"LAVA_AGENT_SOCKET=/lava-7/agent.sock",
            c"LAVA_AGENT_LINK=console",
            c"LAVA_MULTI_NODE_CACHE=/lava-7/multi_node_cache.txt",
            c"HOME=/root",
            c"A=b=c",
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn without_a_search_path_there_is_a_usual_one() {
        let invocation = Invocation { arguments: &[], variables: &[], cut: false };
        let additions = Additions::new(&invocation, "/lava-7", "stdio").expect("short");
        assert!(additions.search.as_str().starts_with("PATH=/lava-7/bin:/usr/local/sbin:"));
    }

    #[test]
    fn a_list_without_room_is_refused() {
        let invocation = Invocation { arguments: &[], variables: &[c"A=1", c"B=2"], cut: false };
        let additions = Additions::new(&invocation, "/lava-7", "stdio").expect("short");
        assert!(!additions.merge(&invocation, &mut Vec::<&CStr, 5>::new()));
    }
}
