//! What a run takes from the bench file, with the usual places where it says nothing.

use std::io;
use std::path::{Path, PathBuf};

use crate::board::Bench;
use crate::fault::{Class, Fault};

/// Where an installed host-runner keeps its agents.
const INSTALLED_AGENTS: &str = "/usr/lib/host-runner/agent";

/// The cache: what the bench file says, else the user's.
///
/// # Errors
/// There is no place for it.
pub fn cache_directory(bench: Option<&Bench>) -> Result<PathBuf, Fault> {
    let named = bench.and_then(|bench| bench.cache_directory.clone());
    let usual = || users_directory("XDG_CACHE_HOME", ".cache");
    named.or_else(usual).ok_or_else(|| {
        Fault::new(
            Class::Bench,
            "artifact cache",
            "there is no place for it: neither XDG_CACHE_HOME nor HOME is set",
        )
        .with_help("name one with `[cache] directory` in the bench file")
    })
}

/// The user's directory `host-runner` in the one that `variable` names, else in `usual` of the home directory (XDG Base
/// Directory Specification).
fn users_directory(variable: &str, usual: &str) -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(usual)));
    directory.map(|directory| directory.join("host-runner"))
}

/// The persistent root filesystems, each in a directory of its name: what the bench file says, else the user's.
///
/// # Errors
/// There is no place for them.
pub fn persistent_directory(bench: Option<&Bench>) -> Result<PathBuf, Fault> {
    let named = bench.and_then(|bench| bench.rootfs_directory.clone());
    let usual = || Some(users_directory("XDG_DATA_HOME", ".local/share")?.join("rootfs"));
    named.or_else(usual).ok_or_else(|| {
        Fault::new(
            Class::Bench,
            "persistent root filesystems",
            "there is no place for them: neither XDG_DATA_HOME nor HOME is set",
        )
        .with_help("name one with `[rootfs] directory` in the bench file")
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

/// The agent for `arch`, in the first of `directories` that has one.
///
/// # Errors
/// Text that says where it was looked for, and what to do about it.
pub(crate) fn agent_file(directories: &[PathBuf], arch: &str) -> Result<PathBuf, (String, &'static str)> {
    let candidates: Vec<_> =
        directories.iter().map(|directory| directory.join(arch).join("lava-agent")).collect();
    candidates.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let tried =
            candidates.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ");
        let help =
            "build it with `cargo xtask agent`, or name its directory with `[agent] directory` in the bench file";
        (format!("there is no agent for {arch}: none of {tried} exists"), help)
    })
}

/// Where agents are looked for: what the bench file says, else beside this program, then where packages put them.
pub(crate) fn agent_directories(bench: &Bench) -> Vec<PathBuf> {
    bench.agent_directory.clone().map_or_else(usual_agent_directories, |directory| vec![directory])
}

/// Where agents are looked for when nobody says: beside this program, then where packages put them.
pub(crate) fn usual_agent_directories() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program.as_ref().and_then(|path| path.parent()).into_iter();
    // target/release/host-runner and target/agent
    let beside = beside.flat_map(|directory| [directory.join("agent"), directory.join("../agent")]);
    beside.chain([PathBuf::from(INSTALLED_AGENTS)]).collect()
}
