//! Other programs: found in the search path, run, waited for.

use core::ffi::CStr;

use heapless::Vec;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::{Result, retry_on_intr};
use rustix::process::Pid;

use crate::failure::Failure;
use crate::invocation::{Invocation, MAX_ARGUMENTS};
use crate::path::PathText;
use crate::runtime::{self, Ended, Forked};

/// Exit code of a child that could not become the program it was started for, as shells have it.
pub(crate) const EXIT_NOT_RUN: u8 = 127;

/// The shell of scripts and command lines.
pub(crate) const SHELL: &CStr = c"/bin/sh";

/// Where programs are looked for when the environment does not say.
pub(crate) const DEFAULT_SEARCH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds the program of a name, as a shell does: a name with a slash is a path, another is looked for.
pub(crate) fn find(name: &str, search: &str) -> Option<PathText> {
    let executable = |path: &PathText| {
        rustix::fs::accessat(CWD, path.as_c_str(), Access::EXEC_OK, AtFlags::empty()).is_ok()
    };
    if name.contains('/') {
        return PathText::join(&[name.as_bytes()]);
    }
    search
        .split(':')
        .filter_map(|directory| PathText::join(&[directory.as_bytes(), b"/", name.as_bytes()]))
        .find(executable)
}

/// What the words behind `--shell` or `--cmd` stand for: a program and its arguments.
pub(crate) struct Command<'a> {
    /// The program.
    pub(crate) path: PathText,
    /// Its name and arguments.
    pub(crate) arguments: Words<'a>,
}

/// A program's name and arguments.
pub(crate) type Words<'a> = Vec<&'a CStr, MAX_ARGUMENTS>;

/// Puts a list of words together from its parts; none if there are too many.
pub(crate) fn words<'a>(first: &[&'a CStr], second: &[&'a CStr], third: &[&'a CStr]) -> Option<Words<'a>> {
    let mut words = Vec::new();
    for part in [first, second, third] {
        words.extend_from_slice(part).ok()?;
    }
    Some(words)
}

impl<'a> Command<'a> {
    /// Makes a command of words; none if there are no words, or too many.
    ///
    /// One word is a line for the shell. Several are a program and its arguments, or what else the shell knows by that
    /// name: it has programs of its own, such as `command`, and words of its own for what is not there.
    pub(crate) fn new(invocation: &Invocation<'_>, words: &[&'a CStr]) -> Option<Self> {
        let search = invocation.variable("PATH").unwrap_or(DEFAULT_SEARCH);
        let (name, rest) = words.split_first()?;
        let found = (!rest.is_empty()).then(|| find(name.to_str().unwrap_or_default(), search)).flatten();
        let (path, prefix, words): (_, &[&CStr], _) = match found {
            Some(path) => (path, &[], words),
            None if rest.is_empty() => (shell()?, &[c"sh", c"-c"], words),
            None => (shell()?, &[c"sh", c"-c", c"\"$@\"", c"sh"], words),
        };
        Some(Self { path, arguments: self::words(prefix, words, &[])? })
    }
}

fn shell() -> Option<PathText> {
    PathText::join(&[SHELL.to_bytes()])
}

/// Runs a program to its end, with this process's standard input, output and error.
///
/// # Errors
/// The errno of the system call that failed. A program that cannot be executed exits with [`EXIT_NOT_RUN`].
pub(crate) fn run(path: &CStr, arguments: &[&CStr], variables: &[&CStr]) -> Result<Ended> {
    wait(spawn(|| Ok(()), path, arguments, variables)?)
}

/// Runs a program to its end and takes the beginning of what it prints; its errors are not shown.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn capture<'b>(
    path: &CStr,
    arguments: &[&CStr],
    variables: &[&CStr],
    buffer: &'b mut [u8],
) -> Result<&'b [u8]> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let quietly = || {
        let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        redirect(null.as_fd(), writer.as_fd(), null.as_fd())
    };
    let child = spawn(quietly, path, arguments, variables)?;
    drop(writer);
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match retry_on_intr(|| rustix::io::read(&reader, &mut *rest))? {
            0 => break,
            count => filled += count,
        }
    }
    drop(reader);
    wait(child)?;
    Ok(buffer.get(..filled).unwrap_or_default())
}

/// Starts a program; `prepare` runs in the new process before it.
///
/// # Errors
/// The errno of the system call that failed. A program that cannot be executed exits with [`EXIT_NOT_RUN`].
pub(crate) fn spawn(
    prepare: impl FnOnce() -> Result<()>,
    path: &CStr,
    arguments: &[&CStr],
    variables: &[&CStr],
) -> Result<Pid> {
    match runtime::fork()? {
        Forked::Parent(child) => Ok(child),
        Forked::Child => {
            let errno = prepare().err().unwrap_or_else(|| runtime::exec(path, arguments, variables));
            Failure::System("cannot be run", errno).say(path.to_str().unwrap_or("program"));
            crate::stdio::exit(EXIT_NOT_RUN)
        }
    }
}

/// Waits until a child ends.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn wait(child: Pid) -> Result<Ended> {
    retry_on_intr(|| runtime::wait4(child))
}

/// Points this process's standard input, output and error elsewhere.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn redirect(input: BorrowedFd<'_>, output: BorrowedFd<'_>, errors: BorrowedFd<'_>) -> Result<()> {
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(errors)
}
