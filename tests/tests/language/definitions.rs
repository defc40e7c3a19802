//! Test definitions from a directory and from a tar.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use testbench::harness::{ARTIFACTS_URL, Testbench, tar_of};

use crate::shell_board::{BOOT, bench, job, test};
use crate::tests;

/// A definition that runs a script beside it.
const DEFINITION: &str = "\
metadata: {format: Lava-Test Test Definition 1.0, name: script}
params: {WORD: default}
run: {steps: [cd suite, ./script.sh \"$WORD\"]}
";

/// Reports a case named after its argument.
const SCRIPT: &str = "#!/bin/sh\nlava-test-case \"$1\" --result pass\n";

fn action(from: &str) -> String {
    format!(
        "- test:\n    definitions:\n    - {{name: script, path: suite/script.yaml, params: {{WORD: given}}, {from}}}\n"
    )
}

#[test]
fn a_directory_beside_the_job_is_sent_with_its_modes() {
    let bench = bench();
    let suite = bench.path().join("tests/suite");
    fs::create_dir_all(&suite).expect("an own directory");
    bench.write("tests/suite/script.yaml", DEFINITION);
    let script = bench.write("tests/suite/script.sh", SCRIPT);
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("an own file");
    let actions = [BOOT, &action("from: directory, repository: tests")].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_script/given pass"]);
}

#[test]
fn a_directory_that_is_not_there_is_told_before_the_board_is_touched() {
    let bench = bench();
    let actions = [BOOT, &action("from: directory, repository: nowhere")].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert!(
        format!("{run}").contains("cannot be had from `nowhere`: `nowhere/` cannot be read: No such file"),
        "{run}"
    );
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.power().is_empty(), "{run}");
}

/// Puts a tar with the definition below `v1/` among the artifacts.
fn with_tar() -> Testbench {
    let bench = bench();
    let files = [("v1/suite/script.yaml", 0o644, DEFINITION), ("v1/suite/script.sh", 0o755, SCRIPT)];
    bench.artifact("tests.tar", &tar_of(&files));
    bench
}

#[test]
fn a_tar_is_fetched_and_its_leading_directory_left_out() {
    let bench = with_tar();
    let from = format!("from: url, repository: '{ARTIFACTS_URL}tests.tar', strip-components: 1");
    let run = bench.start_text(&job(&bench, &[BOOT, &action(&from)].concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_script/given pass"]);
}

#[test]
fn a_tar_without_the_definition_names_what_it_lacks() {
    let bench = with_tar();
    let from = format!("from: url, repository: '{ARTIFACTS_URL}tests.tar'");
    let run = bench.start_text(&job(&bench, &[BOOT, &action(&from)].concat())).finish();
    assert_ne!(run.code, Some(0), "{run}");
    assert!(format!("{run}").contains("suite/script.yaml"), "{run}");
    assert!(run.power().is_empty(), "{run}");
}

#[test]
fn the_fields_of_a_tool_in_a_quoted_command_are_not_taken_for_arguments_of_the_script() {
    let bench = bench();
    let step = r#"lava-test-case field --shell "echo a 1 | awk '{exit $2 != 1}'""#;
    let run = bench.start_text(&job(&bench, &[BOOT, &test("", "fields", &[step])].concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_fields/field pass"]);
}
