//! Why a command on the board failed, and how that is said.

use rustix::io::Errno;

use crate::decimal::decimal;
use crate::stdio;

/// A reason to exit with 1.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong arguments; also reported to the runner.
    Usage(&'static str),
    /// A system call failed.
    System(&'static str, Errno),
    /// What the runner refused, and why, was said already.
    Said,
    /// Anything else, in words.
    Plain(&'static str),
}

impl Failure {
    /// Makes a function that turns an errno into a failure of `doing`, such as `cannot open the cache`.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::System(doing, errno)
    }

    /// Says the failure on standard error, behind the name of the command that failed.
    pub(crate) fn say(&self, command: &str) {
        let stderr = stdio::stderr();
        match self {
            Self::Usage(text) | Self::Plain(text) => stdio::say(stderr, &[command, ": ", text, "\n"]),
            Self::Said => {}
            Self::System(doing, errno) => {
                let number = decimal(errno.raw_os_error().unsigned_abs());
                stdio::say(
                    stderr,
                    &[command, ": ", doing, ": ", meaning(*errno), " (errno ", &number, ")\n"],
                );
            }
        }
    }
}

/// Says in words what the errors mean that users meet.
fn meaning(errno: Errno) -> &'static str {
    match errno {
        Errno::NOENT => "no such file or directory",
        Errno::ACCESS | Errno::PERM => "not permitted",
        Errno::EXIST => "already exists",
        Errno::NOTDIR => "not a directory",
        Errno::ISDIR => "is a directory",
        Errno::NOSPC => "no space left",
        Errno::ROFS => "read-only file system",
        Errno::NETUNREACH | Errno::HOSTUNREACH => "no way leads there",
        Errno::CONNREFUSED => "nobody listens there",
        Errno::CONNRESET | Errno::PIPE => "the other end has gone",
        Errno::NODEV => "no such device",
        Errno::NOTTY => "not a terminal",
        Errno::TIMEDOUT => "timed out",
        Errno::NOEXEC => "not a program",
        Errno::LOOP => "a symbolic link where anybody may lay one",
        Errno::FBIG => "too long",
        _ => "the system says no",
    }
}
