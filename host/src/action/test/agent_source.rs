//! Where the agent of a test step comes from.

use std::fmt;

use crate::agent_install::{AGENT, Build};
use crate::agent_link::Invitation;

/// What an agent that is started on a console speaks over.
pub(super) enum AgentLine<'a> {
    /// That console, of this speed in bits per second; 0 if it has none.
    Console(u32),
    /// A connection to the runner.
    Tcp(&'a Invitation),
}

impl fmt::Display for AgentLine<'_> {
    /// As the agent's command line has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console(baud) => write!(f, "console --baud {baud}"),
            Self::Tcp(invitation) => write!(f, "tcp --runner {invitation}"),
        }
    }
}

/// Where the agent of a test step comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AgentSource {
    /// This run has put it into the root filesystem that it serves.
    Served,
    /// This run has sent it over the connection that it is started on.
    Sent,
    /// This run has uploaded it into this directory, over the console.
    Uploaded(String),
    /// The board has it of its own; see [`crate::agent_install`].
    Installed(Build),
}

impl AgentSource {
    /// The command that starts it at a shell's prompt to speak over `line`, with `directory` as its own.
    pub(super) fn command(&self, directory: &str, line: &AgentLine<'_>) -> String {
        let directory = self.directory(directory);
        match self {
            Self::Served | Self::Sent | Self::Uploaded(_) => format!("{directory}/bin/lava-agent {line}\n"),
            Self::Installed(_) => format!("{AGENT} {line} --directory {directory}\n"),
        }
    }

    /// The agent's directory on the board, which is `usual` where nothing else was chosen.
    pub(super) fn directory<'a>(&'a self, usual: &'a str) -> &'a str {
        if let Self::Uploaded(directory) = self { directory } else { usual }
    }

    /// For the log of the run.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Served => "put into the root filesystem by this run",
            Self::Sent => "sent by this run",
            Self::Uploaded(_) => "uploaded over the console",
            Self::Installed(_) => "installed on the board",
        }
    }
}
