//! The examples of `docs/results.md` are from the run of these tests.

use std::path::PathBuf;

use super::{ci, read, run, written};

/// What stands for lines that an example leaves out.
const LEFT_OUT: &str = "…";

/// An example: the file that it is of, and its lines.
fn examples(page: &str) -> Vec<(String, Vec<String>)> {
    let mut examples = Vec::new();
    let mut open: Option<(String, Vec<String>)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => examples.extend(open.take()),
            (Some(info), None) => {
                let file = info.split_once(' ').map(|(_, file)| file.to_owned());
                open = Some((file.unwrap_or_default(), Vec::new()));
            }
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    examples.retain(|(file, _)| !file.is_empty());
    examples
}

#[test]
fn every_example_of_the_page_on_results_is_what_a_run_writes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/results.md");
    let page = std::fs::read_to_string(path).unwrap();
    let directory = written(run());
    let examples = examples(&page);
    assert_eq!(examples.len(), 10, "each file, and GitHub's annotations");
    for (file, example) in examples {
        let text = if file == "github" {
            ci::commands(&ci::on_github(run())).join("\n") + "\n"
        } else {
            read(&directory, &file)
        };
        let mut rest = text.as_str();
        for piece in example.split(|line| line.trim() == LEFT_OUT) {
            let piece = piece.iter().map(|line| format!("{line}\n")).collect::<String>();
            let Some((_, behind)) = rest.split_once(&piece) else {
                panic!("{file} does not have\n{piece}\nin\n{text}");
            };
            rest = behind;
        }
    }
}
