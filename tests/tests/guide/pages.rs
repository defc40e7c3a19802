//! The pages, and the commands that they show.

use std::fs;
use std::path::{Path, PathBuf};

/// What shows the exit code of the command before it.
pub(crate) const EXIT_CODE: &str = "echo $?";

/// A command of a page.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) page: String,
    pub(crate) line: usize,
    pub(crate) command: String,
    /// What the page shows behind it.
    pub(crate) output: String,
}

impl Shown {
    /// Whether it is one of ours.
    pub(crate) fn is_ours(&self) -> bool {
        self.command.starts_with("host-runner ")
    }

    pub(crate) fn place(&self) -> String {
        format!("{}:{}: {}", self.page, self.line, self.command)
    }

    pub(crate) fn is_of(&self, page: &str, beginning: &str) -> bool {
        self.page == page && self.command.starts_with(beginning)
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md and all pages below docs/ and udev/, by their paths in the repository.
pub(crate) fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for directory in ["docs", "docs/design", "docs/errors", "udev"] {
        for entry in fs::read_dir(repository().join(directory)).expect("a directory of the repository") {
            let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
            if name.ends_with(".md") {
                pages.push(format!("{directory}/{name}"));
            }
        }
    }
    pages.sort();
    pages
}

/// The commands in the `console` blocks of a page.
pub(crate) fn commands_of(page: &str) -> Vec<Shown> {
    let text = fs::read_to_string(repository().join(page)).expect("a page of the repository");
    let (mut all, mut is_inside): (Vec<Shown>, bool) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let text = line.trim_start();
        match text.strip_prefix("```") {
            Some(language) => is_inside = !is_inside && language == "console",
            None if !is_inside => {}
            None => match (text.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => {
                    // A remark stands behind some blanks.
                    let command = command.split("  #").next().unwrap_or(command).trim();
                    let command = command.replace("target/release/host-runner", "host-runner");
                    let (page, line) = (page.to_owned(), number + 1);
                    all.push(Shown { page, line, command, output: String::new() });
                }
                (None, Some(last)) => last.output += &format!("{line}\n"),
                (None, None) => panic!("{page}:{}: output without a command", number + 1),
            },
        }
    }
    all
}

pub(crate) fn all_commands() -> Vec<Shown> {
    pages().iter().flat_map(|page| commands_of(page)).collect()
}
