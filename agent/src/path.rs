//! Paths that the runner names, and where the agent lives.

use core::ffi::CStr;

use rustix::fs::CWD;

use crate::c_text::CText;
use crate::invocation::Invocation;
use crate::socket::SOCKET_VARIABLE;

/// Longest path, with its NUL.
pub(crate) const MAX_PATH: usize = 512;

/// A path as system calls want it.
pub(crate) type PathText = CText<MAX_PATH>;

/// Whether a path is relative and stays below where it starts.
pub(crate) fn stays_below(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Splits a path at its last slash; none if it has no slash.
///
/// By bytes, because what `str` searches backwards with is larger.
pub(crate) fn split_last(path: &str) -> Option<(&str, &str)> {
    let at = path.bytes().rposition(|byte| byte == b'/')?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}

/// Finds the directory of the agent that a helper belongs to: that of its socket.
pub(crate) fn agent_directory<'a>(invocation: &Invocation<'a>) -> Option<&'a str> {
    invocation.variable(SOCKET_VARIABLE).and_then(split_last).map(|(directory, _)| directory)
}

/// Finds the directory that the agent was started from: the parent of its `bin`.
pub(crate) fn own_directory(invocation: &Invocation<'_>) -> Option<PathText> {
    let mut buffer = [0; MAX_PATH];
    let length = rustix::fs::readlinkat_raw(CWD, c"/proc/self/exe", &mut buffer[..]).ok();
    let program = length.and_then(|length| core::str::from_utf8(buffer.get(..length)?).ok());
    let called = invocation.arguments.first().copied().and_then(|name: &CStr| name.to_str().ok());
    CText::join(&[grandparent(program.or(called)?)?.as_bytes()])
}

fn grandparent(program: &str) -> Option<&str> {
    let (bin, _) = split_last(program)?;
    match split_last(bin)? {
        ("", _) => Some("/"),
        (directory, _) => Some(directory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_stay_below() {
        for path in ["a", "0/tests/0_smoke/run.sh", "a..b/.c"] {
            assert!(stays_below(path), "{path}");
        }
        for path in ["", "/etc/passwd", "..", "a/../../b", "a//b", "./a", "a/"] {
            assert!(!stays_below(path), "{path}");
        }
    }

    #[test]
    fn the_agent_lives_beside_its_bin() {
        assert_eq!(grandparent("/lava-7/bin/lava-agent"), Some("/lava-7"));
        assert_eq!(grandparent("/bin/lava-agent"), Some("/"));
        assert_eq!(grandparent("lava-agent"), None);
    }
}
