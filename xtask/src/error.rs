//! What can go wrong, in words for the person at the terminal.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a task could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A program is not there or may not be run.
    #[error("{program} cannot be started")]
    Start {
        /// Name of the program.
        program: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("{command} failed ({status}){}", tail_of(.log))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote, and where the rest is.
        log: String,
    },
    /// A file or directory could not be read, written or moved.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried, as in "cannot write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Packages are missing and this is not a machine with apt.
    #[error(
        "these Debian packages are needed and there is no apt-get here to install them: {packages}; \
         use a Debian machine, or install their counterparts and put dpkg-query on the path"
    )]
    NoApt {
        /// The missing packages, separated by spaces.
        packages: String,
    },
    /// Packages are missing and this user cannot install them.
    #[error(
        "these Debian packages are needed and there is no sudo here to install them with; \
         as root: apt-get install --no-install-recommends {packages}"
    )]
    NoSudo {
        /// The missing packages, separated by spaces.
        packages: String,
    },
    /// The user has no ids to make a root file system with.
    #[error(
        "/etc/subuid and /etc/subgid give {user} no 65536 ids, which making the root file system without root needs; \
         once: sudo usermod --add-subuids {range} --add-subgids {range} {user}"
    )]
    NoIds {
        /// Name of the user.
        user: String,
        /// A range that is nobody's, as usermod takes it.
        range: String,
    },
    /// apt's configuration names no archive of this Debian release.
    #[error(
        "apt's configuration has no entry for the main suite of Debian {codename}; \
         add one to /etc/apt/sources.list.d and run apt-get update"
    )]
    NoSource {
        /// Code name of the release.
        codename: String,
    },
    /// The machine is not a Debian.
    #[error(
        "the lab is made from Debian packages of this machine's own release, and /etc/os-release says ID={id}"
    )]
    NotDebian {
        /// What the system calls itself.
        id: String,
    },
    /// The archive lacks a package.
    #[error("the Debian archive has no package {package}")]
    NoPackage {
        /// Its name.
        package: String,
    },
    /// No Rust toolchain for a board's processor can be had.
    #[error("no toolchain for {architecture} at hand: {tried}")]
    NoToolchain {
        /// Name of the architecture.
        architecture: &'static str,
        /// Where it was looked for, in words.
        tried: &'static str,
    },
    /// The agent would need something that boards may not have, or the archive's program something that a PC may not have.
    #[error("{} is no static program: it has {segment}", program.display())]
    NotStatic {
        /// The built program.
        program: PathBuf,
        /// What asks for a loader or a library, as in "INTERP".
        segment: String,
    },
    /// Programs for Arm cannot run on this machine, so Debian's maintainer scripts cannot.
    #[error(
        "programs for Arm cannot be run here, which building the root file system needs: {reason}; \
         as root: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && update-binfmts --enable qemu-arm"
    )]
    Binfmt {
        /// What was found.
        reason: String,
    },
    /// An unpacked package does not hold what it should.
    #[error("{} has no {what}", directory.display())]
    Content {
        /// Where it was looked for.
        directory: PathBuf,
        /// What was looked for.
        what: String,
    },
    /// A program's output is not what was expected.
    #[error("{program} answered with something unexpected: {found}")]
    Answer {
        /// Name of the program.
        program: &'static str,
        /// What it said, shortened.
        found: String,
    },
    /// An agent is too large: to be sent over a serial line in reasonable time, or for a small board's memory.
    #[error("the {architecture} agent has {found} {what}; its budget is {budget}")]
    Budget {
        /// Name of the architecture.
        architecture: &'static str,
        /// What was measured.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much may be.
        budget: u64,
    },
    /// There is no such fuzz target.
    #[error("there is no fuzz target {name}; there are: {targets}")]
    NoTarget {
        /// What was asked for.
        name: String,
        /// The names of all, separated by commas.
        targets: String,
    },
    /// A fuzz target failed on an input.
    #[error("{target}: {why}; to see it again: {} {}", program.display(), input.display())]
    Fuzz {
        /// Its name.
        target: String,
        /// The panic, or what took too long or too much.
        why: String,
        /// The built target.
        program: PathBuf,
        /// The input, which is kept.
        input: PathBuf,
    },
    /// A job did not end as it must.
    #[error("{job}: {problem}")]
    Job {
        /// The job file.
        job: String,
        /// What is wrong with its results.
        problem: String,
    },
}

impl Error {
    /// Returns a function that turns a system error into [`Error::File`].
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

fn tail_of(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; it ended with:\n{log}") }
}

/// The error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
