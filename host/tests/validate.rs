//! The examples of `docs/validate.md`, run as they are written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/validate.md");

/// The blocks of a language, without their fences.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence).skip(1).map(|rest| rest.split("```\n").next().unwrap_or(rest)).collect()
}

/// A directory with the page's files, and good jobs in `jobs`.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for block in blocks("yaml") {
        let name = block.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a file has a name");
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the directory")).expect("a directory");
        fs::write(path, block).expect("a file");
    }
    let jobs = directory.path().join("jobs");
    fs::create_dir(&jobs).expect("a directory");
    fs::copy(directory.path().join("job.yaml"), jobs.join("smoke.yaml")).expect("a file");
    directory
}

/// Runs a shell script there, with the program in its path.
fn shell(directory: &Path, script: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_host-runner")).parent().expect("a program is in a directory");
    let mut path = OsString::from(program);
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(directory).env("PATH", path).stdin(Stdio::null());
    shell.output().expect("there is a shell")
}

#[test]
fn commands_print_what_the_page_says() {
    let directory = directory();
    let examples = blocks("console");
    assert!(!examples.is_empty());
    for example in examples {
        let commands: Vec<_> = example.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        let expected: Vec<_> = example.lines().filter(|line| !line.starts_with("$ ")).collect();
        let output = shell(directory.path(), &format!("exec 2>&1; {}", commands.join("; ")));
        let text = String::from_utf8(output.stdout).expect("text");
        let printed: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(printed, expected, "{commands:?}");
    }
}

#[test]
fn commands_of_the_ci_examples_accept_good_jobs() {
    let directory = directory();
    let commands = blocks("yaml").into_iter().flat_map(str::lines).filter_map(|line| {
        let start = line.find("host-runner validate")?;
        line.get(start..)
    });
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        // A hook of pre-commit gets its files behind the command.
        let files = if command.contains("jobs/") { "" } else { " jobs/smoke.yaml" };
        let output = shell(directory.path(), &format!("{command}{files}"));
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let log = fs::read_to_string(directory.path().join("jobs.sarif")).expect("the log was written");
    let log: serde_json::Value = serde_json::from_str(&log).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
}

#[test]
fn the_page_has_every_field_of_the_json() {
    let directory = directory();
    let command = "host-runner validate --plan --format json job.yaml typo.yaml none.yaml";
    let output = shell(directory.path(), command);
    let text = String::from_utf8(output.stdout).expect("text");
    let mut fields = BTreeSet::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        let lists = ["problems", "faults"].map(|list| value[list].as_array().cloned().unwrap_or_default());
        for object in [value].iter().chain(lists.iter().flatten()) {
            fields.extend(object.as_object().into_iter().flatten().map(|(field, _)| field.clone()));
        }
    }
    let told = |field: &String| {
        PAGE.lines()
            .filter(|line| line.starts_with("| `"))
            .any(|line| line.contains(&format!("`{field}`")) || line.contains(&format!("].{field}`")))
    };
    let missing: Vec<_> = fields.iter().filter(|field| !told(field)).collect();
    assert!(missing.is_empty() && fields.len() > 10, "not in docs/validate.md: {missing:?} of {fields:?}");
}

#[test]
fn programs_are_told_what_is_wrong_with_a_bench_file() {
    let directory = directory();
    let bench = "[boards.b]\ntype = \"beaglebone-blak\"\nconsole = \"/dev/ttyUSB0\"\n";
    fs::write(directory.path().join("bad.toml"), bench).expect("a file");
    let run = |format: &str| {
        let output = shell(
            directory.path(),
            &format!("host-runner validate job.yaml --bench bad.toml --format {format}"),
        );
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(4), &b""[..]), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let line = run("json");
    assert_eq!((line["file"].as_str(), line["valid"].as_bool()), (Some("bad.toml"), Some(false)), "{line}");
    let problem = &line["problems"][0];
    assert_eq!(
        (problem["code"].as_str(), problem["line"].as_u64()),
        (Some("unknown-board-type"), Some(2)),
        "{line}"
    );
    let result = &run("sarif")["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "unknown-board-type", "{result}");
}
