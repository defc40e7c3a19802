//! Repositories that a definition installs beside itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use testbench::harness::Testbench;

use crate::shell_board::{BOOT, bench, job, test};
use crate::tests;

fn git(directory: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").args(who).args(arguments).current_dir(directory).output();
    let output = output.expect("there is git");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with the file `tool`, which says `main`, or `next` on the branch of that name, and a link to it.
fn repository(bench: &Testbench) -> PathBuf {
    let directory = bench.path().join("library");
    std::fs::create_dir(&directory).expect("an own directory");
    bench.write("library/tool", "main\n");
    std::os::unix::fs::symlink("tool", directory.join("latest")).expect("an own directory");
    git(&directory, &["init", "--quiet"]);
    git(&directory, &["add", "."]);
    git(&directory, &["commit", "--quiet", "--message=one"]);
    git(&directory, &["checkout", "--quiet", "-b", "next"]);
    bench.write("library/tool", "next\n");
    git(&directory, &["commit", "--quiet", "--all", "--message=two"]);
    git(&directory, &["checkout", "--quiet", "main"]);
    directory
}

/// A test action whose definition installs `repositories`, a flow sequence; `keys` are those of its entry.
fn action(repositories: &str, keys: &str, steps: &[&str]) -> String {
    let text = test("", "tool", steps);
    let text = text.replace(
        "        run: {",
        &format!("        install: {{git-repos: {repositories}}}\n        run: {{"),
    );
    text.replace("      name: tool\n", &format!("      name: tool\n{keys}"))
}

#[test]
fn a_repository_is_beside_the_definition_in_its_branch_and_under_its_name() {
    let bench = bench();
    let url = repository(&bench).display().to_string();
    let repositories = format!("['{url}', {{url: '{url}', branch: next, destination: new/lib}}]");
    let steps = [
        "lava-test-case main --shell grep -qx main library/tool",
        "lava-test-case next --shell grep -qx next new/lib/latest",
    ];
    let actions = [BOOT, &action(&repositories, "", &steps)].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_tool/main pass", "0_tool/next pass"]);
}

#[test]
fn a_repository_that_is_skipped_is_not_there() {
    let bench = bench();
    let url = repository(&bench).display().to_string();
    let keys = "      skip_install: [git-repos]\n";
    let steps = ["lava-test-case none --shell test ! -e library"];
    let actions = [BOOT, &action(&format!("['{url}']"), keys, &steps)].concat();
    let run = bench.start_text(&job(&bench, &actions)).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_tool/none pass"]);
}

#[test]
fn submodules_are_there_if_the_definition_asks_for_them() {
    let bench = bench();
    let here = format!("{}/", bench.path().display());
    let bench = bench.mirror("https://git.example.org/", &here);
    repository(&bench);
    let outer = bench.path().join("outer");
    std::fs::create_dir(&outer).expect("an own directory");
    git(&outer, &["init", "--quiet"]);
    let metadata = "metadata: {format: Lava-Test Test Definition 1.0, name: outer}\n";
    let step = "lava-test-case there --shell grep -qx main modules/library/tool";
    bench.write("outer/outer.yaml", format!("{metadata}run: {{steps: ['{step}']}}\n"));
    let instead = format!("url.{here}.insteadOf=https://git.example.org/");
    let url = "https://git.example.org/library";
    let add = ["submodule", "--quiet", "add", url, "modules/library"];
    git(&outer, &[&["-c", "protocol.file.allow=always", "-c", &instead][..], &add].concat());
    git(&outer, &["add", "."]);
    git(&outer, &["commit", "--quiet", "--message=one"]);
    for (recursive, result) in [(true, "pass"), (false, "fail")] {
        let action = format!(
            "- test:\n    definitions:\n    - {{from: git, name: outer, path: outer.yaml, recursive: {recursive}, repository: '{}'}}\n",
            outer.display()
        );
        let run = bench.start_text(&job(&bench, &[BOOT, &action].concat())).finish();
        assert_eq!(tests(&run), [format!("0_outer/there {result}")], "{run}");
        std::fs::remove_dir_all(bench.path().join("out")).expect("an own directory");
    }
}
