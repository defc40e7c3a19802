//! Servers that benchmarks measure ours against and that are made of libraries: built when they are asked for.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::programs::profile_directory;

/// The package of those that are no program by themselves; no part of the workspace.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/Cargo.toml");

/// Where they are built, beside the directories of this workspace's profiles.
fn directory() -> PathBuf {
    profile_directory().with_file_name("peers")
}

/// A program of the package `tests/benches/peers`, which gives a library what it lacks to be a server.
///
/// # Errors
/// When it cannot be built, as without the registry.
pub fn bench_peer(name: &str) -> io::Result<PathBuf> {
    let directory = directory();
    let arguments = ["build", "--quiet", "--release", "--locked", "--manifest-path", MANIFEST, "--bin", name];
    let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("--target-dir"), directory.as_os_str()]);
    cargo(name, &arguments)?;
    Ok(directory.join("release").join(name))
}

/// A program that its own package brings, as `cargo install` makes it.
///
/// # Errors
/// When it cannot be fetched or built.
pub fn installed_peer(package: &str, version: &str) -> io::Result<PathBuf> {
    let directory = directory().join("installed");
    let arguments = ["install", "--quiet", "--locked", package, "--version", version, "--root"];
    let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let target = directory.join("target");
    arguments.extend([directory.as_os_str(), OsStr::new("--target-dir"), target.as_os_str()]);
    cargo(package, &arguments)?;
    Ok(directory.join("bin").join(package))
}

/// Runs cargo, whose complaints are shown.
fn cargo(name: &str, arguments: &[&OsStr]) -> io::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        // Outside of the workspace: its settings for the product's own build are not for these.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{name} cannot be built: {status}"))) }
}
