//! Completions and manual pages, by the programs that read them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program.
fn host_runner(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-runner")).args(words).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What bash offers for the last of `words`.
fn offered(directory: &Path, words: &[&str]) -> Vec<String> {
    let script = directory.join("completions.bash");
    fs::write(&script, host_runner(&["completions", "bash"]).stdout).expect("writable");
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let [.., before, last] = words else { panic!("a program and a word") };
    let call = format!(
        ". {}; COMP_WORDS=({}); COMP_CWORD={}; \"$(complete -p host-runner | sed 's/.*-F \\([^ ]*\\).*/\\1/')\" \
         host-runner '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        quoted.join(" "),
        words.len() - 1,
    );
    // The script asks the program that is in PATH.
    let program = Path::new(env!("CARGO_BIN_EXE_host-runner")).parent().expect("a directory");
    let path = std::env::var("PATH").expect("text");
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &call]).env("PATH", format!("{}:{path}", program.display()));
    let ran = bash.output().expect("bash runs");
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    text(&ran.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_subcommands_options_and_their_values() {
    let directory = tempfile::tempdir().expect("writable");
    let path = directory.path();
    assert_eq!(offered(path, &["host-runner", "bo"]), ["boards"]);
    assert_eq!(offered(path, &["host-runner", "validate", "--fo"]), ["--format"]);
    assert_eq!(offered(path, &["host-runner", "validate", "--format", "s"]), ["sarif"]);
    assert_eq!(offered(path, &["host-runner", "power", "bbb1", "cy"]), ["cycle"]);
    assert_eq!(offered(path, &["host-runner", "virtual"]), [""; 1], "what people do not call is not offered");
}

#[test]
fn there_is_a_script_for_every_shell() {
    for (shell, begin) in [
        ("zsh", "#compdef host-runner"),
        ("fish", "complete --keep-order"),
        ("elvish", "\nset edit:completion"),
    ] {
        let script = text(&host_runner(&["completions", shell]).stdout);
        assert!(script.starts_with(begin), "{shell}: {}", script.lines().next().unwrap_or_default());
    }
}

#[test]
fn manual_pages_are_whole() {
    let directory = tempfile::tempdir().expect("writable");
    let pages = directory.path().join("man1");
    let written = host_runner(&["man", pages.to_str().expect("text")]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    for name in [
        "host-runner",
        "host-runner-run",
        "host-runner-power",
        "host-runner-doctor",
        "host-runner-rootfs-diff",
    ] {
        let page = pages.join(format!("{name}.1"));
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&page).output();
        let lint = lint.expect("mandoc runs (Debian package mandoc)");
        assert!(lint.status.success(), "{name}: {}", text(&lint.stdout));
        let shown = Command::new("mandoc").args(["-T", "utf8"]).arg(&page).output().expect("mandoc runs");
        let title = name.to_uppercase();
        assert!(text(&shown.stdout).to_uppercase().contains(&title), "{name}");
    }
    assert!(!pages.join("host-runner-virtual-network.1").exists());
}
