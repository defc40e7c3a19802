//! Where the agent of a test step comes from.

use crate::agent_install::{AGENT, Build};
use crate::agent_link::Invitation;
use crate::run::Brought;

/// What an agent that is started on a console speaks over.
pub(super) enum AgentLine<'a> {
    /// That console, of this speed in bits per second; 0 if it has none.
    Console(u32),
    /// A connection to the runner.
    Tcp(&'a Invitation),
}

impl AgentLine<'_> {
    /// The words that start `program`, an agent, for a shell.
    fn command(&self, program: &str) -> String {
        match self {
            Self::Console(baud) => format!("{program} console --baud {baud}"),
            // Arguments can be read by everybody on the board, and the environment cannot.
            Self::Tcp(Invitation { address, token }) => {
                format!("LAVA_AGENT_TOKEN={token} {program} tcp --runner {address}")
            }
        }
    }
}

/// Where the agent of a test step comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AgentSource {
    /// This run has put it into the root filesystem that it serves.
    Served,
    /// This run has put it into the RAM disk.
    InRamdisk,
    /// This run has sent it over the connection that it is started on.
    Sent,
    /// This run has uploaded it into this directory, over the console.
    Uploaded(String),
    /// The board has fetched it and all of its files into this directory.
    Fetched(String),
    /// The board has it of its own; see [`crate::agent_install`].
    Installed(Build),
}

impl From<Brought> for AgentSource {
    fn from(Brought { directory, has_files }: Brought) -> Self {
        if has_files { Self::Fetched(directory) } else { Self::Uploaded(directory) }
    }
}

impl AgentSource {
    /// The command that starts it at a shell's prompt to speak over `line`, with `directory` as its own.
    pub(super) fn command(&self, directory: &str, line: &AgentLine<'_>) -> String {
        let start = line.command(&self.program(directory));
        match self {
            Self::Installed(_) => format!("{start} --directory {directory}\n"),
            _ => start + "\n",
        }
    }

    /// Its program on the board; its directory there is `usual` where nothing else was chosen.
    pub(super) fn program(&self, usual: &str) -> String {
        match self {
            Self::Installed(_) => AGENT.to_owned(),
            _ => format!("{}/bin/lava-agent", self.directory(usual)),
        }
    }

    /// The agent's directory on the board, which is `usual` where nothing else was chosen.
    pub(super) fn directory<'a>(&'a self, usual: &'a str) -> &'a str {
        if let Self::Uploaded(directory) | Self::Fetched(directory) = self { directory } else { usual }
    }

    /// Whether it came with the system that was booted, and goes with that.
    pub(super) const fn is_booted(&self) -> bool {
        matches!(self, Self::Served | Self::InRamdisk)
    }

    /// Whether it still has to be given the files of a test.
    pub(super) const fn needs_files(&self) -> bool {
        !self.is_booted() && !matches!(self, Self::Fetched(_))
    }

    /// For the log of the run.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Served => "put into the root filesystem by this run",
            Self::InRamdisk => "put into the RAM disk by this run",
            Self::Sent => "sent by this run",
            Self::Uploaded(_) => "uploaded over the console",
            Self::Fetched(_) => "fetched by the board",
            Self::Installed(_) => "installed on the board",
        }
    }
}
