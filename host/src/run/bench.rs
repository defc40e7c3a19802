//! What a run takes from the bench file, with the usual places where it says nothing.

use std::io;
use std::path::{Path, PathBuf};

use crate::board::Bench;
use crate::fault::{Class, Fault};

/// Where an installed host-runner keeps its agents.
const INSTALLED_AGENTS: &str = "/usr/lib/host-runner/agent";

/// The cache: what the bench file says, else the user's.
pub(super) fn cache_directory(bench: &Bench) -> Result<PathBuf, Fault> {
    let usual = || {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
        cache.map(|directory| directory.join("host-runner"))
    };
    bench.cache_directory.clone().or_else(usual).ok_or_else(|| {
        Fault::new(
            Class::Bench,
            "artifact cache",
            "there is no place for it: neither XDG_CACHE_HOME nor HOME is set",
        )
        .with_help("name one with `[cache] directory` in the bench file")
    })
}

/// What to do about a cache that cannot be used, where that can be said.
pub(super) fn cache_help(directory: &Path, error: &io::Error) -> Option<String> {
    // A run with sudo leaves its files in the cache of the user whose HOME it had.
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem).then(|| {
        format!(
            "name a directory of your own with `[cache] directory` in the bench file, or take this one over: \
             `sudo chown -R \"$USER\" {}`",
            directory.display()
        )
    })
}

/// Where agents are looked for: what the bench file says, else beside this program, then where packages put them.
pub(super) fn agent_directories(bench: &Bench) -> Vec<PathBuf> {
    if let Some(directory) = &bench.agent_directory {
        return vec![directory.clone()];
    }
    let program = std::env::current_exe().ok();
    let beside = program.as_ref().and_then(|path| path.parent()).into_iter();
    // target/release/host-runner and target/agent
    let beside = beside.flat_map(|directory| [directory.join("agent"), directory.join("../agent")]);
    beside.chain([PathBuf::from(INSTALLED_AGENTS)]).collect()
}
