//! Whether output is coloured, and whether it may be drawn over: decided here alone.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use clap::ValueEnum;

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR`, `CLICOLOR_FORCE` or `TERM=dumb` say otherwise
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

static WHEN: OnceLock<When> = OnceLock::new();

/// Keeps what the command line says.
pub(super) fn set(when: When) {
    // The command line is read once.
    let _ = WHEN.set(when);
}

/// What the arguments say, for an error in them.
pub(super) fn set_by_words(words: impl Iterator<Item = OsString>) {
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let mut values =
        words.iter().enumerate().filter_map(|(index, word)| match word.strip_prefix("--color") {
            Some("") => words.get(index + 1).map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        });
    if let Some(when) = values.next_back().and_then(|value| When::from_str(value, false).ok()) {
        set(when);
    }
}

/// Whether standard output is coloured.
pub(super) fn on_stdout() -> bool {
    decide(when(), io::stdout().is_terminal(), |name| std::env::var_os(name))
}

/// Whether standard error is coloured.
pub(super) fn on_stderr() -> bool {
    decide(when(), io::stderr().is_terminal(), |name| std::env::var_os(name))
}

/// Whether standard output is a terminal on which lines can be drawn over.
pub(super) fn can_draw() -> bool {
    io::stdout().is_terminal() && !is_dumb(&|name| std::env::var_os(name))
}

fn when() -> When {
    WHEN.get().copied().unwrap_or(When::Auto)
}

/// The option decides, then `NO_COLOR` (no-color.org) and `CLICOLOR_FORCE` (bixense.com/clicolors), then the terminal.
fn decide(when: When, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if is_set("NO_COLOR") => false,
        When::Auto if is_set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE").is_some_and(|v| v != "0") => {
            true
        }
        When::Auto => is_terminal && !is_dumb(&variable),
    }
}

/// Whether the terminal knows nothing but text.
fn is_dumb(variable: &impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|value| value == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(when: When, is_terminal: bool, variables: &[(&str, &str)]) -> bool {
        let value =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.into());
        decide(when, is_terminal, value)
    }

    #[test]
    fn the_option_comes_before_the_variables_and_these_before_the_terminal() {
        let (no, force, dumb) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"), ("TERM", "dumb"));
        assert!(decided(When::Always, false, &[no]) && !decided(When::Never, true, &[force]));
        assert!(decided(When::Auto, true, &[]) && !decided(When::Auto, false, &[]));
        assert!(!decided(When::Auto, true, &[no]) && !decided(When::Auto, true, &[no, force]));
        assert!(decided(When::Auto, false, &[force]) && decided(When::Auto, true, &[force, dumb]));
        assert!(!decided(When::Auto, true, &[dumb]));
        let (empty, zero) = (("NO_COLOR", ""), ("CLICOLOR_FORCE", "0"));
        assert!(decided(When::Auto, true, &[empty]) && !decided(When::Auto, false, &[zero]));
    }
}
