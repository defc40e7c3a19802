//! Building the agent for every kind of board that it supports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::architecture::Architecture;
use super::memory::{self, Resident};
use super::toolchain::Toolchain;
use crate::error::{Error, chain};
use crate::process;
use crate::workspace::Workspace;

/// A built agent.
#[derive(Debug)]
pub(crate) struct Agent {
    architecture: &'static Architecture,
    program: PathBuf,
    /// Bytes of the stripped program.
    size: u64,
}

/// The Debian packages that agents are built and measured with.
pub(crate) fn packages(architectures: &[&Architecture]) -> Vec<&'static str> {
    architectures.iter().flat_map(|architecture| architecture.packages).copied().collect()
}

/// Builds agents into `target/agent/ARCH/lava-agent` and prints their sizes. One that need not be and for which there is no
/// toolchain is left out, after saying so.
///
/// # Errors
/// When no toolchain can be had, or the agent does not compile or is no static program.
pub(crate) fn build(
    workspace: &Workspace,
    architectures: &[&'static Architecture],
) -> Result<Vec<Agent>, Error> {
    let mut agents = Vec::new();
    for architecture in architectures {
        match Toolchain::find(workspace, architecture) {
            Ok(toolchain) => agents.push(build_for(workspace, architecture, &toolchain)?),
            Err(error @ Error::NoToolchain { .. }) if !architecture.is_required => {
                println!("agent: not built: {}", chain(&error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(agents)
}

fn build_for(
    workspace: &Workspace,
    architecture: &'static Architecture,
    toolchain: &Toolchain,
) -> Result<Agent, Error> {
    let target = workspace.agent().join("build");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--package=agent", "--profile=agent", "--target", toolchain.target()]);
    cargo.arg("--target-dir").arg(&target);
    toolchain.apply(&mut cargo);
    process::show(&mut cargo)?;

    let built = target.join(toolchain.target()).join("agent/lava-agent");
    check_static(&built)?;
    let program = workspace.agent().join(architecture.name).join("lava-agent");
    publish(&built, &program)?;
    let size = fs::metadata(&program).map_err(Error::file("cannot read", &program))?.len();
    println!("agent: {size:>6} bytes of {}  {}", architecture.budget, program.display());
    Ok(Agent { architecture, program, size })
}

/// Makes sure that the program needs neither an interpreter nor a library on the board.
fn check_static(program: &Path) -> Result<(), Error> {
    let headers =
        process::answer(Command::new("readelf").args(["--program-headers", "--wide"]).arg(program))?;
    let segment = |line: &str| line.split_whitespace().next().map(str::to_owned);
    match headers.lines().filter_map(segment).find(|kind| kind == "INTERP" || kind == "DYNAMIC") {
        Some(kind) => Err(Error::NotStatic { program: program.to_owned(), segment: kind }),
        None => Ok(()),
    }
}

/// Puts a copy of `built` at `place` in one step, so that a job never serves half an agent.
fn publish(built: &Path, place: &Path) -> Result<(), Error> {
    let directory = place.parent().map(PathBuf::from).unwrap_or_default();
    fs::create_dir_all(&directory).map_err(Error::file("cannot make", &directory))?;
    let copy = directory.join(".lava-agent.new");
    fs::copy(built, &copy).map_err(Error::file("cannot copy", built))?;
    fs::rename(&copy, place).map_err(Error::file("cannot write", place))
}

impl Agent {
    /// Checks the program's size against its budget.
    ///
    /// # Errors
    /// [`Error::Budget`] when it is over it.
    pub(crate) fn check_size(&self) -> Result<(), Error> {
        self.check("bytes", self.size, self.architecture.budget)
    }

    /// Runs the agent, prints what of its memory is resident, and checks that against the budget.
    ///
    /// # Errors
    /// When it cannot be run, and [`Error::Budget`] when it is over the budget.
    pub(crate) fn check_memory(&self) -> Result<(), Error> {
        let Resident { idle_kib, busy_kib } = memory::measure(&self.program, self.architecture)?;
        println!(
            "agent: {busy_kib:>4} KiB of {} resident when busy, {idle_kib} when idle  {}",
            memory::BUDGET_KIB,
            self.architecture.name
        );
        self.check("KiB of resident memory", idle_kib.max(busy_kib), memory::BUDGET_KIB)
    }

    fn check(&self, what: &'static str, found: u64, budget: u64) -> Result<(), Error> {
        if found > budget {
            return Err(Error::Budget { architecture: self.architecture.name, what, found, budget });
        }
        Ok(())
    }
}
