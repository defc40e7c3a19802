//! Options of LAVA's helpers in the steps of a definition, as far as they can be seen without running a shell.

use std::sync::LazyLock;

use regex::Regex;

use super::requests::{command_of, visible};

/// Helpers whose options have names, and the options that take a value.
const HELPERS: [(&str, &[&str]); 3] = [
    ("lava-test-case", &["--result", "--measurement", "--units", "--output"]),
    ("lava-test-reference", &["--result", "--reference"]),
    ("lava-test-feedback", &["--namespace"]),
];

/// Behind it stands a command, whose options are its own; `lava-test-case` alone has it.
const SHELL: &str = "--shell";

/// Most wrong options of a step that are told.
const MAX_TOLD: usize = 100;

/// One of these helpers where a command can stand.
static HELPER: LazyLock<Regex> = LazyLock::new(|| {
    let place = r"(?:^|[;&|({!`]|\b(?:do|then|else|elif|if|while|until|time|exec|sudo)\b|--shell\b)";
    let before = r"\s*(?:\w+=\S*\s+)*(?:[\w./-]*/)?";
    let names = HELPERS.map(|(name, _)| name).join("|");
    Regex::new(&format!(r"(?m){place}{before}({names})[ \t]+")).expect("a constant pattern is valid")
});

/// An option that a helper does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownOption {
    pub(super) helper: &'static str,
    pub(super) option: String,
    /// Those that it has.
    pub(super) known: Vec<&'static str>,
}

/// The options in `command` that the helpers called there do not have: each such call fails, and reports nothing.
pub(super) fn unknown_options(command: &str) -> Vec<UnknownOption> {
    let visible = visible(command, &mut false);
    let calls = HELPER.captures_iter(&visible).filter_map(|found| {
        let (name, words) = (found.get(1)?.as_str(), visible.get(found.get(0)?.end()..)?);
        let (name, options) = HELPERS.iter().find(|(helper, _)| *helper == name)?;
        Some((*name, *options, command_of(words)?))
    });
    calls.flat_map(|(name, options, words)| unknown_of(name, options, &words)).take(MAX_TOLD).collect()
}

/// What `words` has behind an id that the helper does not know. What a shell makes of a variable is not known here.
fn unknown_of(helper: &'static str, options: &[&'static str], words: &str) -> Vec<UnknownOption> {
    let known = || {
        let shell = (helper == "lava-test-case").then_some(SHELL);
        options.iter().copied().chain(shell).collect::<Vec<_>>()
    };
    let mut words = words.split_whitespace();
    let mut unknown = Vec::new();
    while let Some(word) = words.next() {
        if known().contains(&SHELL) && word == SHELL {
            break;
        }
        if options.contains(&word) {
            words.next();
        } else if word.starts_with("--") && !word.contains(['$', '*', '?', '[']) {
            unknown.push(UnknownOption { helper, option: word.to_owned(), known: known() });
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::unknown_options;

    fn of(command: &str) -> Vec<String> {
        let unknown = unknown_options(command);
        unknown.into_iter().map(|unknown| format!("{} {}", unknown.helper, unknown.option)).collect()
    }

    #[test]
    fn options_that_a_helper_does_not_have_are_seen() {
        for (command, expected) in [
            ("lava-test-case x --resutl pass", "lava-test-case --resutl"),
            ("true && /usr/bin/lava-test-case 'x' --result=pass", "lava-test-case --result=pass"),
            ("lava-test-case x --shell lava-test-case y --unit s --result pass", "lava-test-case --unit"),
            ("lava-test-case x \\\n  --result pass \\\n  --measurment 3", "lava-test-case --measurment"),
            ("lava-test-case $(cat id; true) --rsult pass", "lava-test-case --rsult"),
            ("lava-test-reference x --result pass --url http://a", "lava-test-reference --url"),
        ] {
            assert_eq!(of(command), [expected], "{command}");
        }
    }

    #[test]
    fn options_of_other_programs_and_made_up_ones_are_left_alone() {
        for command in [
            "lava-test-case x --result pass --measurement 1 --units MB --output /tmp/x",
            "lava-test-case x --shell dmesg --level err",
            "lava-test-case x --result pass; grep --quiet x y",
            "lava-test-case x --result pass 2>&1 | tee --append log",
            "lava-test-case x --units --odd --result pass",
            "lava-test-case x --$kind pass",
            "echo lava-test-case x --resutl pass",
            "cat <<EOF\nlava-test-case x --resutl pass\nEOF",
            "lava-test-case \"$(cat",
        ] {
            assert_eq!(of(command), [""; 0], "{command}");
        }
    }

    #[test]
    fn many_options_are_bounded() {
        assert_eq!(unknown_options(&"lava-test-case x --no;".repeat(1000)).len(), 100);
    }
}
