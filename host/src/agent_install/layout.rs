//! Where an installation lies in a root filesystem.

/// The installation's directory, as the board sees it.
pub const DIRECTORY: &str = "/usr/lib/lava-agent";

/// The agent, as the board sees it.
pub const AGENT: &str = "/usr/lib/lava-agent/bin/lava-agent";

/// The directory that holds the installation's; paths of a [`Tree`](super::tree::Tree) have no slash before them.
pub(super) const LIBRARIES: &str = "usr/lib";

/// The directory with the link that users call the agent by.
pub(super) const PROGRAMS: &str = "usr/bin";

/// Name of the installation's directory, and of the agent.
pub(super) const NAME: &str = "lava-agent";

/// Below the installation's directory: agent and helpers.
pub(super) const BIN: &str = "bin";

/// Below the installation's directory: what was installed.
pub(super) const MANIFEST: &str = "manifest.toml";

/// What the names of new files begin with until all of them are there; an installation that was interrupted leaves some.
pub(super) const BESIDE: &str = ".lava-agent-new-";

/// Beside the installation's directory: what the shell of a board calls the new one and the old one meanwhile.
pub(super) const SHELLS_BESIDE: [&str; 2] = [".lava-agent-new", ".lava-agent-old"];

/// Joins two parts of a path in a tree, of which the first may be the root.
pub(super) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Splits a path into the directory and the name in it.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
