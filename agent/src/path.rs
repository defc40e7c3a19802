//! Paths that the runner names, and where the agent lives.

use core::ffi::CStr;

use rustix::fs::CWD;

use crate::c_text::CText;
use crate::invocation::Invocation;

/// Longest path, with its NUL.
pub(crate) const MAX_PATH: usize = 512;

/// A path as system calls want it.
pub(crate) type PathText = CText<MAX_PATH>;

/// Whether a path is relative and stays below where it starts.
pub(crate) fn stays_below(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
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
    let (bin, _) = program.rsplit_once('/')?;
    match bin.rsplit_once('/')? {
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
