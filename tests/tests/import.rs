//! The commands of docs/import.md do what it shows.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use testbench::harness::host_runner;

/// What makes a command show its standard error alone.
const STDERR_ALONE: &str = " 2>&1 >/dev/null";

/// What the document has in place of the directory of the test.
const HOME: &str = "/home/lab";

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/import.md")).unwrap()
}

/// The fenced blocks of the document in `language`.
fn blocks<'d>(document: &'d str, language: &str) -> Vec<&'d str> {
    let begin = format!("```{language}\n");
    let blocks = document.split(begin.as_str()).skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap()).collect()
}

/// A directory in which the paths of the document lead where they should, with the program that switches the lab's boards.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let program = desk.path().join("bin/pduclient");
    fs::create_dir(desk.path().join("bin")).unwrap();
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["examples", "tests"] {
        symlink(repository().join(name), desk.path().join(name)).unwrap();
    }
    desk
}

fn run(desk: &Path, command: &str) -> Output {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("host-runner"));
    Command::new(host_runner())
        .args(words)
        .current_dir(desk)
        .env_remove("HOST_RUNNER_BENCH")
        .env("PATH", desk.join("bin"))
        .output()
        .unwrap()
}

/// Without blanks at the ends of lines, which a document does not keep.
fn trimmed(text: &str) -> String {
    text.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_of_the_document_prints_what_it_shows() {
    let (document, desk) = (document(), desk());
    let mut commands = 0;
    for block in blocks(&document, "console") {
        for shown in block.split("$ ").skip(1) {
            let (command, expected) = shown.split_once('\n').unwrap_or((shown, ""));
            // A file of the reader's own.
            if command.contains(" device.yaml ") {
                continue;
            }
            let output = run(desk.path(), command.trim_end_matches(STDERR_ALONE));
            let said = if command.ends_with(STDERR_ALONE) { &output.stderr } else { &output.stdout };
            // `$BASE` of labgrid's templates is an absolute path.
            let said = String::from_utf8_lossy(said).replace(&*desk.path().to_string_lossy(), HOME);
            assert_eq!(trimmed(&said), trimmed(expected), "{command}: {output:?}");
            assert!(output.status.success(), "{command}: {output:?}");
            commands += 1;
        }
    }
    assert!(commands >= 5, "{commands}");
    let bench = fs::read_to_string(desk.path().join("lab/bench.toml")).unwrap();
    assert_eq!(blocks(&document, "toml"), [trimmed(&bench)]);
}

#[test]
fn the_inputs_that_the_document_shows_are_the_examples() {
    let document = document();
    for (language, file) in [("jinja", "lava/lab-board-01.jinja2"), ("yaml", "labgrid/env.yaml")] {
        let text = fs::read_to_string(repository().join("examples/import").join(file)).unwrap();
        assert_eq!(blocks(&document, language), [trimmed(&text)], "{file}");
    }
}

#[test]
fn what_cannot_be_imported_and_what_would_be_overwritten_end_with_an_error() {
    let desk = desk();
    let lava = "host-runner import lava examples/import/lava/";
    let failed = run(desk.path(), &format!("{lava}lab-board-01.jinja2"));
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(4), "{told}");
    assert!(
        told.contains("import-no-board") && told.contains("--templates") && failed.stdout.is_empty(),
        "{told}"
    );
    let written = format!("{lava}bbb-01.jinja2 --out lab");
    assert!(run(desk.path(), &written).status.success());
    let again = run(desk.path(), &written);
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(3), "{told}");
    assert!(told.contains("`lab/bench.toml` is there already") && told.contains("--force"), "{told}");
    assert!(run(desk.path(), &format!("{written} --force")).status.success());
    let missing = run(desk.path(), "host-runner import labgrid none.yaml --board-type qemu-virt-arm");
    assert_eq!(missing.status.code(), Some(4), "{missing:?}");
    let nowhere = run(desk.path(), &format!("{lava}bbb-01.jinja2 --templates nowhere"));
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert_eq!(
        (nowhere.status.code(), told.contains("`nowhere` is no directory")),
        (Some(2), true),
        "{told}"
    );
}
