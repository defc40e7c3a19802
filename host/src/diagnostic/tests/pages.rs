//! The pages that `host-runner explain` prints, and their index.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::fixture::{Fixture, of_our_files};
use crate::diagnostic::Code;

/// Headings of a page, behind the meaning.
const HEADINGS: [&str; 2] = ["## How to mend it", "## In LAVA"];

fn directory() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors")).to_owned()
}

fn page(code: Code) -> String {
    fs::read_to_string(directory().join(format!("{code}.md"))).unwrap()
}

#[test]
fn every_page_says_what_it_means_how_to_mend_it_and_what_lava_does() {
    for code in Code::ALL {
        let page = page(*code);
        assert!(page.starts_with(&format!("# {code}\n\n{}", code.summary())), "{code}: begins otherwise");
    }
    for code in of_our_files() {
        let page = page(code);
        for heading in HEADINGS {
            let section = page.split_once(&format!("{heading}\n\n"));
            assert!(section.is_some_and(|(_, text)| text.len() > 20), "{code}: nothing below `{heading}`");
        }
        let lines = page.lines().count();
        assert!((10..=40).contains(&lines), "{code}: {lines} lines");
    }
}

#[test]
fn every_page_shows_the_message_as_it_is_printed() {
    for code in of_our_files() {
        let shown = Fixture::of(code).unwrap().shown();
        let block = format!("```text\n{}\n```\n", shown.trim_end());
        assert!(page(code).contains(&block), "docs/errors/{code}.md must have this block:\n{block}");
    }
}

#[test]
fn every_page_is_that_of_a_code() {
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(name == "README" || Code::from_name(name).is_some(), "{}: no such code", path.display());
    }
}

#[test]
fn the_index_has_all_codes() {
    let mut index = "# Problems of job and bench files\n\n\
        Every problem that `host-runner validate` tells has a code. `host-runner explain CODE` prints its page.\n\n\
        | code | what it is about |\n|---|---|\n"
        .to_owned();
    for code in Code::ALL {
        writeln!(index, "| [`{code}`]({code}.md) | {} |", code.summary()).unwrap();
    }
    let written = fs::read_to_string(directory().join("README.md")).unwrap_or_default();
    assert_eq!(written, index, "docs/errors/README.md must be this text:\n{index}");
}
