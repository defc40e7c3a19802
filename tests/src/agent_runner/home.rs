//! The directory of an agent.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::helper::NAMES;
use tempfile::TempDir;

use crate::harness::target_directory;

/// Which build of the agent runs.
#[derive(Clone, Copy)]
pub enum Build {
    /// The bench PC's own.
    X86,
    /// That of boards of an architecture, under emulation.
    Board(&'static str),
}

/// The directory of an agent as a root filesystem has it: `bin` with the agent and the helpers.
pub struct Home {
    directory: TempDir,
    agent: PathBuf,
    emulator: Option<PathBuf>,
}

impl Home {
    /// Makes a directory with one build of the agent.
    ///
    /// # Panics
    /// When the build or its emulator is not there.
    pub fn new(build: Build) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let bin = directory.path().join("bin");
        std::fs::create_dir(&bin).expect("writable");
        let agent = bin.join("lava-agent");
        let emulator = match build {
            Build::X86 => {
                std::fs::copy(crate::harness::agent(), &agent).expect("the agent was built");
                NAMES.iter().for_each(|name| symlink("lava-agent", bin.join(name)).expect("writable"));
                None
            }
            Build::Board(architecture) => {
                let emulator = emulator(architecture);
                assert!(emulator.exists(), "there is no {}: install qemu-user-static", emulator.display());
                let built = built_for(architecture);
                std::fs::copy(&built, &agent).unwrap_or_else(|error| {
                    panic!(
                        "there is no agent for boards ({}: {error}): `cargo xtask agent` makes it",
                        built.display()
                    )
                });
                NAMES.iter().for_each(|name| wrap(&bin.join(name), name, &emulator, &agent));
                Some(emulator)
            }
        };
        Self { directory, agent, emulator }
    }

    /// Writes a program for the scripts.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn program(&self, name: &str, text: &str) {
        self.script(name, text);
        std::fs::set_permissions(self.path().join(name), PermissionsExt::from_mode(0o755)).expect("own file");
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The agent's command line, yet to be given arguments and descriptors.
    pub fn command(&self) -> Command {
        let mut command = self.emulated(&[]);
        command.env("MARK", "inherited");
        command
    }

    /// The command line of a helper, yet to be given arguments and the run's environment: the program itself, without
    /// the shell that finds it in a script.
    pub fn helper(&self, name: &str) -> Command {
        match &self.emulator {
            Some(_) => self.emulated(&["-0", name]),
            None => Command::new(self.path().join("bin").join(name)),
        }
    }

    /// As [`Self::helper`], with every system call on standard error, as [`Trace`](super::Trace) reads them.
    ///
    /// # Panics
    /// When the build is the bench PC's own, which has no emulator to tell them.
    pub fn traced_helper(&self, name: &str) -> Command {
        assert!(self.emulator.is_some(), "only an emulator traces");
        self.emulated(&["-strace", "-0", name])
    }

    /// The agent's command line with every system call on standard error.
    ///
    /// # Panics
    /// As [`Self::traced_helper`].
    pub fn traced_command(&self) -> Command {
        assert!(self.emulator.is_some(), "only an emulator traces");
        self.emulated(&["-strace"])
    }

    /// Writes a file into the directory.
    ///
    /// # Panics
    /// When it cannot.
    pub fn script(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("writable");
    }

    fn emulated(&self, options: &[&str]) -> Command {
        match &self.emulator {
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.args(options).arg(&self.agent);
                command
            }
            None => Command::new(&self.agent),
        }
    }
}

/// Makes a helper of an emulated agent, which the kernel cannot start by a link.
fn wrap(path: &Path, name: &str, emulator: &Path, agent: &Path) {
    let text = format!("#!/bin/sh\nexec {} -0 {name} {} \"$@\"\n", emulator.display(), agent.display());
    std::fs::write(path, text).expect("writable");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("own file");
}

/// Where `cargo xtask agent` puts the agent for boards of an architecture.
pub fn built_for(architecture: &str) -> PathBuf {
    target_directory().join("agent").join(architecture).join("lava-agent")
}

/// The program that runs an architecture's programs here.
pub fn emulator(architecture: &str) -> PathBuf {
    let name = if architecture == "armv7" { "arm" } else { architecture };
    PathBuf::from(format!("/usr/bin/qemu-{name}-static"))
}
