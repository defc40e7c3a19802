//! Every code has a bad file, which has this one problem at its mark, and is shown as in its snapshot.

use std::collections::BTreeSet;

use super::fixture::{Fixture, files, of_our_files};
use crate::diagnostic::Code;

#[test]
fn every_code_has_a_bad_file() {
    let covered: BTreeSet<_> = Fixture::all().iter().map(|fixture| fixture.code).collect();
    let missing: Vec<_> = of_our_files().filter(|code| !covered.contains(code)).map(Code::name).collect();
    assert!(missing.is_empty(), "no bad file for {missing:?}");
}

#[test]
fn every_bad_file_has_its_one_problem_at_its_mark() {
    let mut wrong = Vec::new();
    for fixture in Fixture::all() {
        let problems = fixture.problems();
        let found: Vec<_> =
            problems.iter().map(|problem| (problem.code.name(), fixture.place_of(problem))).collect();
        if found != [(fixture.code.name(), fixture.place)] {
            wrong.push(format!("{}: {:?}, but found {found:?}", fixture.path.display(), fixture.place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_message_is_shown_as_it_was() {
    for fixture in Fixture::all() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(fixture.path.parent().unwrap());
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(fixture.name.as_str(), fixture.shown()));
    }
}

#[test]
fn every_snapshot_has_its_bad_file() {
    let names: BTreeSet<_> = Fixture::all().into_iter().map(|fixture| fixture.name).collect();
    let stray =
        files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "snap"));
    let stray: Vec<_> =
        stray.filter(|path| !names.contains(path.file_stem().unwrap().to_str().unwrap())).collect();
    assert!(stray.is_empty(), "without a bad file: {stray:?}");
}
