//! How the program was called: name, arguments, environment.

use core::ffi::CStr;

use crate::path::split_last;

/// Most arguments that are taken, the program's name among them.
pub const MAX_ARGUMENTS: usize = 512;

/// Most environment variables that are taken and handed to scripts.
pub const MAX_VARIABLES: usize = 512;

/// The words a process is started with.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// Name and arguments, at most [`MAX_ARGUMENTS`].
    pub arguments: &'a [&'a CStr],
    /// Environment as `NAME=value`, at most [`MAX_VARIABLES`].
    pub variables: &'a [&'a CStr],
    /// Whether there were more arguments than were taken.
    pub cut: bool,
}

impl<'a> Invocation<'a> {
    /// Returns the last component of the name the program was called by.
    #[must_use]
    pub fn name(&self) -> &'a str {
        let path = self.arguments.first().and_then(|name| name.to_str().ok()).unwrap_or_default();
        split_last(path).map_or(path, |(_, name)| name)
    }

    /// Returns the value of an environment variable; none if it is absent or not UTF-8.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&'a str> {
        self.variables
            .iter()
            .find_map(|variable| value_of(variable.to_bytes(), name))
            .and_then(|value| core::str::from_utf8(value).ok())
    }
}

/// Returns what follows `name=` in an environment entry of that name.
pub(crate) fn value_of<'v>(entry: &'v [u8], name: &str) -> Option<&'v [u8]> {
    entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_last_component_of_the_path() {
        let table: [(&[&CStr], &str); 3] =
            [(&[c"/lava-7/bin/lava-send"], "lava-send"), (&[c"lava-agent"], "lava-agent"), (&[], "")];
        for (arguments, name) in table {
            assert_eq!(Invocation { arguments, variables: &[], cut: false }.name(), name);
        }
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name_only() {
        let invocation = Invocation { arguments: &[], variables: &[c"PATHS=/x", c"PATH=/bin=1"], cut: false };
        assert_eq!(invocation.variable("PATH"), Some("/bin=1"));
        assert_eq!(invocation.variable("PAT"), None);
    }
}
