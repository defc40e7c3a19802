//! `cargo xtask picture DIR`: a stored run as a picture, for the README.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::demo;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Where the picture goes, relative to the repository.
const PICTURE: &str = "docs/run.svg";

/// Lines shown from the start of the run and from its end.
const HEAD: usize = 12;
const TAIL: usize = 40;

/// Longest line shown, in characters.
const COLUMNS: usize = 112;

/// Size of a character cell.
const CELL: (f64, f64) = (7.8, 17.0);

/// Space around the text.
const MARGIN: f64 = 14.0;

/// Draws what `host-runner replay` prints of the run in `directory`.
///
/// # Errors
/// When the runner does not compile, the run cannot be read, or the picture cannot be written.
pub(crate) fn run(workspace: &Workspace, directory: &Path) -> Result<(), Error> {
    let runner = demo::build_runner(workspace)?;
    let text =
        process::answer(Command::new(runner).arg("replay").arg(directory).args(["--color", "always"]))?;
    let picture = workspace.root.join(PICTURE);
    fs::write(&picture, svg(&text)).map_err(Error::file("cannot write", &picture))?;
    println!("picture: {}", picture.display());
    Ok(())
}

/// Text with colour sequences as a picture.
fn svg(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let lines: Vec<&str> = if lines.len() > HEAD + TAIL {
        let (head, tail) = (&lines[..HEAD], &lines[lines.len() - TAIL..]);
        [head, &["", "    …", ""], tail].concat()
    } else {
        lines
    };
    let width = COLUMNS as f64 * CELL.0 + 2.0 * MARGIN;
    let height = lines.len() as f64 * CELL.1 + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1d2021\"/>\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let y = MARGIN + (index as f64 + 0.75) * CELL.1;
        let _ = writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"{y:.1}\" xml:space=\"preserve\" fill=\"#d5c4a1\">{}</text>",
            spans(line)
        );
    }
    out + "</svg>\n"
}

/// A line as text spans, one per run of equal colour, cut to what fits.
fn spans(line: &str) -> String {
    let mut out = String::new();
    let mut style = String::new();
    let mut left = COLUMNS;
    for (index, part) in line.split('\u{1b}').enumerate() {
        let (codes, text) = match part.strip_prefix('[').and_then(|rest| rest.split_once('m')) {
            Some((codes, text)) if index > 0 => (codes, text),
            _ => ("", part),
        };
        for code in codes.split(';').filter(|code| !code.is_empty()) {
            match code {
                "0" => style.clear(),
                "1" => style.push_str(" font-weight=\"bold\""),
                "2" => style.push_str(" fill-opacity=\"0.6\""),
                "31" => style.push_str(" fill=\"#fb4934\""),
                "32" => style.push_str(" fill=\"#b8bb26\""),
                "33" => style.push_str(" fill=\"#fabd2f\""),
                _ => (),
            }
        }
        let shown: String = text.chars().take(left).collect();
        left -= shown.chars().count();
        if !shown.is_empty() {
            let _ = write!(out, "<tspan{style}>{}</tspan>", escape(&shown));
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_spans_and_markup_is_escaped() {
        assert_eq!(
            spans("a \u{1b}[32mpass\u{1b}[0m <b>"),
            "<tspan>a </tspan><tspan fill=\"#b8bb26\">pass</tspan><tspan> &lt;b&gt;</tspan>"
        );
    }

    #[test]
    fn long_runs_are_cut_in_the_middle_and_long_lines_at_the_end() {
        let text: String = (0..200).map(|line| format!("line {line} {}\n", "x".repeat(200))).collect();
        let picture = svg(&text);
        assert!(
            picture.contains("line 11 ") && picture.contains("line 160 ") && !picture.contains("line 100 ")
        );
        assert_eq!(picture.matches("<text").count(), HEAD + TAIL + 3);
        assert!(!picture.contains(&"x".repeat(COLUMNS)));
    }
}
