//! Building the agent for every kind of board that it supports.

use std::fs;
use std::path::{Path, PathBuf};

use super::toolchain::Toolchain;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Bytes that the stripped armv7 agent may have: what a 115200 baud line carries in less than ten seconds.
pub(crate) const ARMV7_BUDGET: u64 = 65_536;

const X86_64: &str = "x86_64-unknown-linux-gnu";

/// Sizes of the built agents, in bytes.
#[derive(Debug)]
pub(crate) struct Agents {
    /// The agent for 32-bit Arm boards.
    pub(crate) armv7: u64,
}

/// The Debian packages that the agent is built with.
pub(crate) fn packages() -> Vec<&'static str> {
    vec!["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"]
}

/// Builds the agents into `target/agent/ARCH/lava-agent` and prints their sizes.
///
/// # Errors
/// When no toolchain can be had or the agent does not compile.
pub(crate) fn build(workspace: &Workspace) -> Result<Agents, Error> {
    let armv7 = build_for(workspace, "armv7", &Toolchain::armv7(workspace)?)?;
    if cfg!(target_arch = "x86_64") {
        build_for(workspace, "x86_64", &Toolchain::native(X86_64))?;
    }
    Ok(Agents { armv7 })
}

fn build_for(workspace: &Workspace, architecture: &str, toolchain: &Toolchain) -> Result<u64, Error> {
    let target = workspace.agent().join("build");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--package=agent", "--profile=agent", "--target", toolchain.target()]);
    cargo.arg("--target-dir").arg(&target);
    toolchain.apply(&mut cargo);
    process::show(&mut cargo)?;

    let built = target.join(toolchain.target()).join("agent/lava-agent");
    let place = workspace.agent().join(architecture).join("lava-agent");
    publish(&built, &place)?;
    let size = fs::metadata(&place).map_err(Error::file("cannot read", &place))?.len();
    println!("agent: {size:>6} bytes  {}", place.display());
    Ok(size)
}

/// Puts a copy of `built` at `place` in one step, so that a job never serves half an agent.
fn publish(built: &Path, place: &Path) -> Result<(), Error> {
    let directory = place.parent().map(PathBuf::from).unwrap_or_default();
    fs::create_dir_all(&directory).map_err(Error::file("cannot make", &directory))?;
    let copy = directory.join(".lava-agent.new");
    fs::copy(built, &copy).map_err(Error::file("cannot copy", built))?;
    fs::rename(&copy, place).map_err(Error::file("cannot write", place))
}
