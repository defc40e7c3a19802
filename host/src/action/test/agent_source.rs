//! Where the agent of a test step comes from.

use crate::agent_install::{AGENT, Build};
use crate::fault::{Class, Fault};
use crate::run::Phase;

/// Where the agent of a test step comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AgentSource {
    /// This run has put it into the root filesystem that it serves.
    Served,
    /// This run has sent it over the connection that it is started on.
    Sent,
    /// The board has it of its own; see [`crate::agent_install`].
    Installed(Build),
}

impl AgentSource {
    /// Takes the agent that a board has of its own, if this runner understands it.
    ///
    /// # Errors
    /// A fault of the bench if there is none, or none that fits, with what to do.
    pub(super) fn of_board(installed: Option<Build>, phase: &Phase) -> Result<Self, Fault> {
        let missing = match installed {
            Some(build) if build.is_compatible() => return Ok(Self::Installed(build)),
            Some(build) => {
                format!(
                    "the agent that is installed on the board, {build}, speaks another protocol than this runner"
                )
            }
            None => "there is no agent on the board, and its root filesystem is not one that this run serves"
                .to_owned(),
        };
        Err(phase.fault(Class::Bench, missing).with_help(
            "install it into the board's root filesystem: `host-runner agent install TARGET` (see docs/agent.md)",
        ))
    }

    /// The command that starts it on a console, with `directory` as its own.
    pub(super) fn command(&self, directory: &str, baud: u32) -> String {
        match self {
            Self::Served | Self::Sent => format!("{directory}/bin/lava-agent console --baud {baud}\n"),
            Self::Installed(_) => format!("{AGENT} console --baud {baud} --directory {directory}\n"),
        }
    }

    /// For the log of the run.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Served => "put into the root filesystem by this run",
            Self::Sent => "sent by this run",
            Self::Installed(_) => "installed on the board",
        }
    }
}
