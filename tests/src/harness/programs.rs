//! The programs under test: built when they are absent or older than their sources.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const AGENT_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The runner.
pub fn host_runner() -> &'static Path {
    &host_programs().0
}

/// The fake board.
pub fn fake_board() -> &'static Path {
    &host_programs().1
}

/// The agent for this PC, which the fake board runs.
///
/// # Panics
/// When it cannot be built.
pub fn agent() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // Where `cargo xtask agent` builds it, too.
        let directory = profile_directory().with_file_name("agent").join("build");
        let program = directory.join(AGENT_TARGET).join("agent/lava-agent");
        let target = ["--target", AGENT_TARGET, "--target-dir"].map(OsStr::new);
        let arguments = ["--package", "agent", "--profile", "agent"].map(OsStr::new);
        build_unless_fresh(&[&program], &[&arguments[..], &target, &[directory.as_os_str()]].concat());
        program
    })
}

fn host_programs() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = profile_directory();
        let programs = (directory.join("host-runner"), directory.join("fake-board"));
        // All of the workspace, as the tests are built: libraries have other features otherwise, and are built anew.
        let which = ["--workspace", "--bins"];
        let profile: &[&str] = if directory.ends_with("release") { &["--release"] } else { &[] };
        let target = directory.parent().unwrap_or(directory.as_path()).as_os_str();
        let mut arguments: Vec<&OsStr> = which.iter().chain(profile).map(OsStr::new).collect();
        arguments.extend([OsStr::new("--target-dir"), target]);
        build_unless_fresh(&[&programs.0, &programs.1], &arguments);
        programs
    })
}

/// The directory of this profile's programs: that of the test executable, without `deps`.
pub(super) fn profile_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows where it is");
    let directory = executable.parent().expect("an executable is in a directory");
    match directory.ends_with("deps") {
        true => directory.parent().expect("cargo's layout").to_owned(),
        false => directory.to_owned(),
    }
}

/// Cargo's target directory.
///
/// # Panics
/// Never, where cargo has built this.
pub fn target_directory() -> PathBuf {
    profile_directory().parent().expect("a profile has a directory in the target directory").to_owned()
}

fn build_unless_fresh(programs: &[&PathBuf], arguments: &[&OsStr]) {
    if programs.iter().all(|program| is_fresh(program)) {
        return;
    }
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet"])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{programs:?} cannot be built");
}

/// Whether `program` is younger than all that cargo says it was made of.
fn is_fresh(program: &Path) -> bool {
    let Ok(made) = fs::metadata(program).and_then(|program| program.modified()) else { return false };
    let Ok(dependencies) = fs::read_to_string(program.with_extension("d")) else { return false };
    // The program's own path comes first; it differs when the directory was copied from elsewhere.
    let Some((path, sources)) = dependencies.split_once(": ") else { return false };
    Path::new(path) == program
        && sources.split_whitespace().all(|source| {
            fs::metadata(source).and_then(|source| source.modified()).is_ok_and(|changed| changed <= made)
        })
}
