//! Other programs: found in the search path, run, waited for.

use core::ffi::CStr;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::{Result, retry_on_intr};
use rustix::process::Pid;

use crate::failure::Failure;
use crate::path::PathText;
use crate::runtime::{self, Ended, Forked};

/// Exit code of a child that could not become the program it was started for, as shells have it.
pub(crate) const EXIT_NOT_RUN: u8 = 127;

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

fn spawn(
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
