//! The text below a command's options, set for terminals of 80 columns; clap breaks paragraphs where a terminal is narrower.

/// Columns of a terminal.
const WIDTH: usize = 80;
/// Blanks between an example and what it does, at least.
const GAP: &str = "  ";
/// The last column at which what an example does may begin beside it.
const LAST_COLUMN: usize = 40;
/// How far what an example does is set in where it has lines of its own.
const INDENT: usize = 6;

/// Makes each paragraph one line, and breaks what examples do within their column.
pub(super) fn set(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut is_within_paragraph = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        match lines.last_mut() {
            Some(paragraph) if is_prose && is_within_paragraph => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            _ if line.starts_with(' ') => lines.extend(example(line)),
            _ => lines.push(line.to_owned()),
        }
        is_within_paragraph = is_prose && !line.ends_with(':');
    }
    lines.join("\n")
}

/// The lines of an example and of what it does.
fn example(line: &str) -> Vec<String> {
    let trimmed = line.trim_start();
    let begin = line.len() - trimmed.len();
    if line.chars().count() <= WIDTH {
        return vec![line.to_owned()];
    }
    let set_in = |what: &str, by: usize| {
        broken(what, WIDTH - by).into_iter().map(move |what| format!("{:by$}{what}", ""))
    };
    let Some((command, what)) = trimmed.split_once(GAP) else {
        // What an example does, below it, or an example, which is to be copied whole.
        let is_example = begin < INDENT;
        return if is_example { vec![line.to_owned()] } else { set_in(trimmed, begin).collect() };
    };
    let what = what.trim_start();
    let column = line.chars().count() - what.chars().count();
    if column <= LAST_COLUMN {
        let broken = broken(what, WIDTH - column);
        let first = format!("{:begin$}{command:<width$}", "", width = column - begin);
        let margins = std::iter::once(first).chain(std::iter::repeat(" ".repeat(column)));
        return margins.zip(broken).map(|(margin, what)| margin + &what).collect();
    }
    std::iter::once(format!("{:begin$}{command}", "")).chain(set_in(what, INDENT)).collect()
}

/// `text` in lines of at most `width` columns; a longer word has one of its own.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    #[test]
    fn paragraphs_are_one_line_and_explanations_stay_in_their_column() {
        let text = "Examples:\n  a b    short\n  a --long b    does this and that and something else, and then all of it once more\n\n\
                    One paragraph\nin two lines.\n\nCodes:\n  0   no fault";
        let expected = "Examples:\n  a b    short\n  a --long b    does this and that and something else, and then all of it once\n                more\n\n\
                        One paragraph in two lines.\n\nCodes:\n  0   no fault";
        assert_eq!(set(text), expected);
    }

    #[test]
    fn what_a_long_example_does_is_below_it() {
        let command = "host-runner run job.yaml --bench bench.toml --out results";
        let text = format!("  {command}   leaves all of its results in that directory");
        assert_eq!(set(&text), format!("  {command}\n      leaves all of its results in that directory"));
    }

    /// Of every command; examples alone in their lines may be longer, as they are copied whole.
    #[test]
    fn what_every_command_does_fits_a_terminal() {
        fn visit(command: &clap::Command, path: &str) {
            for text in [command.get_after_help(), command.get_after_long_help()].into_iter().flatten() {
                let text = text.to_string();
                let is_example = |line: &&str| line.len() - line.trim_start().len() < INDENT;
                let explains = |line: &&str| line.trim_start().contains(GAP) || !is_example(line);
                for line in text.lines().filter(explains) {
                    assert!(line.chars().count() <= WIDTH, "{path}: {line}");
                }
            }
            for inner in command.get_subcommands() {
                visit(inner, &format!("{path} {}", inner.get_name()));
            }
        }
        visit(&args::command(), "host-runner");
    }
}
