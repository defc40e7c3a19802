//! A stored run renders every report again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{hostile, run, written};
use crate::report::jsonl::{self, ReadError};
use crate::report::{Reports, files};

/// All files below a directory.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else {
                let name = entry.strip_prefix(directory).unwrap().display().to_string();
                found.insert(name, fs::read(&entry).unwrap());
            }
        }
    }
    found
}

/// Reads the run in `from` and writes its reports into `to`.
fn render(from: &Path, to: &Path) {
    let mut reports = Reports::new(files(to).unwrap());
    let read = jsonl::read::<ReadError>(&from.join("run.jsonl"), |event| {
        assert!(reports.report(&event).is_empty());
        Ok(())
    });
    read.unwrap();
    if reports.results().outcome.is_none() {
        assert!(reports.cut_off().is_empty());
    }
}

#[test]
fn every_file_is_the_same_byte_by_byte() {
    for events in [run(), hostile::run()] {
        let live = written(events);
        let again = tempfile::tempdir().unwrap();
        render(live.path(), again.path());
        let (live, again) = (contents(live.path()), contents(again.path()));
        assert_eq!(live.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
        for (name, content) in &live {
            assert!(again[name] == *content, "{name} differs");
        }
    }
}

#[test]
fn a_run_that_was_cut_off_has_every_report_as_far_as_it_came() {
    let live = written(run().into_iter().take(9).collect());
    let again = tempfile::tempdir().unwrap();
    render(live.path(), again.path());
    let again = contents(again.path());
    let text = |name: &str| String::from_utf8(again[name].clone()).unwrap();
    assert!(text("results.tap").contains("Bail out! the run was cut off"));
    assert!(text("index.html").contains("The run was cut off: its last event is missing"));
    assert!(text("index.html").contains("It was in the phase <code>test-0</code>"));
    assert!(text("junit.xml").contains(r#"<error message="the node did not end" type="error"/>"#));
    assert!(text("console/host.log").ends_with("half a li\n"));
    assert!(text("lava/host/logs.yaml").ends_with("\"msg\": \"half a li\"}\n"));
}
