//! One mistake is one problem: the rest of the file is checked as it was meant, and what only follows is not told.

use crate::diagnostic::{Diagnostic, MAX_PROBLEMS, Source};
use crate::job::Job;

const GROUP: &str = "\
job_name: group
timeouts: {job: {minutes: 20}}
protocols:
  lava-multinode:
    roles:
      server: {device_type: beaglebone-black}
      client: {device_type: beaglebone-black}
actions:
- deploy: {to: tftp, role: [server, client], kernel: {url: 'https://h/zImage', type: zimage}, nfsrootfs: {url: 'https://h/r.tar'}}
- boot: {method: u-boot, role: [server, client], commands: nfs, prompts: ['#']}
- test:
    role: [server]
    definitions:
    - from: inline
      name: serve
      path: serve.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: serve}
        run: {steps: [lava-send ready, lava-sync end]}
- test:
    role: [client]
    definitions:
    - from: inline
      name: ask
      path: ask.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: ask}
        run: {steps: [lava-wait ready, lava-sync end]}
";

/// What is wrong with `GROUP` once `from` is replaced by `to`.
fn problems(from: &str, to: &str) -> String {
    assert!(GROUP.contains(from), "{from}");
    match Job::parse(&Source::new("job.yaml", GROUP.replacen(from, to, 1))) {
        Ok(job) => job.warnings.iter().map(|warning| format!("warning: {}", warning.message)).collect(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn the_job_itself_is_good() {
    assert_eq!(problems("group", "groups"), "");
}

#[test]
fn misspelt_kinds_are_taken_as_they_were_meant() {
    insta::assert_snapshot!(problems("- deploy: {to", "- depoly: {too: 1, to"), @"
    job.yaml:9:3: error[unknown-action]: there is no action `depoly` (did you mean `deploy`? it is one of `deploy`, `boot`, `test`, `command`)
    job.yaml:9:12: error[unknown-key]: `deploy` has no key `too` (did you mean `to`?)
    ");
    insta::assert_snapshot!(problems("to: tftp,", "to: tfpt, kernle: 1,"), @"
    job.yaml:9:16: error[unknown-deploy]: `deploy` knows no `to: tfpt` (did you mean `tftp`? supported are `tftp` and `ssh`)
    job.yaml:9:22: error[unknown-key]: `deploy` has no key `kernle` (did you mean `kernel`?)
    ");
    insta::assert_snapshot!(problems("method: u-boot,", "method: uboot, prompt: 1,"), @"
    job.yaml:10:18: error[unknown-boot]: `boot` knows no `method: uboot` (did you mean `u-boot`? supported are `u-boot`, `bootloader`, `minimal`, `new_connection` and `ssh`)
    job.yaml:10:25: error[unknown-key]: `boot` has no key `prompt` (did you mean `prompts`?)
    ");
    insta::assert_snapshot!(problems("    definitions:", "    defintions:"), @"
    job.yaml:13:5: error[unknown-key]: `test` has no key `defintions` (did you mean `definitions`?)
    ");
    insta::assert_snapshot!(problems("from: inline", "from: inlin"), @"
    job.yaml:14:13: error[unknown-value]: `definitions` knows no `from: inlin` (did you mean `inline`? supported are `inline`, `git`, `url` and `directory`)
    ");
}

#[test]
fn keys_are_known_whatever_else_is_missing() {
    let git = "from: git\n      branch: main\n      history: false";
    insta::assert_snapshot!(problems("from: inline\n      name: serve\n      path: serve.yaml", &format!("{git}\n      name: serve")), @"
    job.yaml:14:7: error[missing-key]: `definitions` needs `path`
    job.yaml:19:9: error[wrong-type]: `repository` must be text, not a mapping
    ");
    insta::assert_snapshot!(problems("- from: inline", "- branch: main\n      compression: gz"), @"
    job.yaml:14:7: error[missing-key]: `definitions` needs `from`
    ");
}

#[test]
fn a_role_that_cannot_be_read_is_not_missed() {
    insta::assert_snapshot!(problems("server: {device_type: beaglebone-black}", "server: {device_type: beaglebone-black, count: many}"), @"
    job.yaml:6:54: error[wrong-type]: `count` must be a whole number, not text
    ");
    insta::assert_snapshot!(problems("protocols:", "protocolos:"), @"
    job.yaml:3:1: error[unknown-key]: `job` has no key `protocolos` (did you mean `protocols`?)
    ");
    insta::assert_snapshot!(problems("protocols:", "groups:"), @"
    job.yaml:1:1: error[missing-key]: `job` needs `device_type`
    job.yaml:3:1: error[unknown-key]: `job` has no key `groups`
    ");
}

#[test]
fn requests_out_of_sight_count_as_made() {
    for send in [
        "lava-test-case sent --shell lava-send ready",
        "'bash -c \"lava-send ready\"'",
        "./send.sh",
        "sudo lava-send ready",
    ] {
        assert_eq!(problems("lava-send ready", send), "", "{send}");
    }
    assert_eq!(problems("lava-wait ready", "echo lava-wait steady"), "");
    insta::assert_snapshot!(problems("lava-send ready", "echo ready"), @"
    job.yaml:28:23: error[unsent-message]: nobody sends the message `ready`: this would wait for ever (send it with `lava-send ready` in a test of another role)
    ");
    insta::assert_snapshot!(problems("lava-wait ready", "lava-wait raedy"), @"
    job.yaml:28:23: error[unsent-message]: nobody sends the message `raedy`: this would wait for ever (did you mean `ready`?)
    ");
}

#[test]
fn a_colon_without_a_blank_is_explained() {
    insta::assert_snapshot!(problems("{job: {minutes: 20}}", "{job: minutes:20}"), @"
    job.yaml:2:17: error[wrong-type]: `job` must be a mapping, not text (put a blank behind the colon: `job: { minutes: 20 }`)
    ");
}

#[test]
fn misspelt_keys_of_a_definition_in_the_job_are_errors_and_empty_runs_are_told() {
    insta::assert_snapshot!(problems("run: {steps: [lava-send ready, lava-sync end]}", "runn: {steps: [lava-send ready, lava-sync end]}"), @"
    job.yaml:19:9: error[unknown-key]: `repository` has no key `runn` (did you mean `run`?)
    ");
    insta::assert_snapshot!(problems("run: {steps: [lava-send", "install: {dep: [x]}\n        run: {steps: [lava-send"), @"
    job.yaml:19:19: error[unknown-key]: `install` has no key `dep` (did you mean `deps`?)
    ");
    insta::assert_snapshot!(problems("steps: [lava-wait ready, lava-sync end]", "steps: []"), @"
    job.yaml:19:40: error[missing-sync]: role `client` never comes to `lava-sync end`: this would wait for ever (every role of the group must call `lava-sync end`)
    job.yaml:28:15: warning[missing-run]: `steps` is empty: the definition does nothing but install
    ");
}

#[test]
fn misspelt_options_of_helpers_are_told_with_what_was_meant() {
    for (option, help) in [
        (
            "--resutl pass",
            "did you mean `--result`? it has `--result`, `--measurement`, `--units`, `--output`, `--shell`",
        ),
        ("--result=pass", "write `--result pass`"),
        ("--verbose", "it has `--result`, `--measurement`, `--units`, `--output`, `--shell`"),
    ] {
        let text =
            GROUP.replacen("lava-wait ready", &format!("lava-test-case x {option}, lava-wait ready"), 1);
        let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
        let word = option.split(' ').next().unwrap_or_default();
        let message = format!("`lava-test-case` has no option `{word}`: the call fails, and reports nothing");
        let told: Vec<_> =
            job.warnings.iter().map(|told| (told.message.as_str(), told.help.as_deref())).collect();
        assert_eq!(told, [(message.as_str(), Some(help))], "{option}");
    }
}

#[test]
fn very_many_problems_and_very_long_names_are_bounded() {
    let many = format!("actions:\n{}", "- {x: 1}\n".repeat(3000));
    let text = format!(
        "job_name: {}\ndevice_type: b\ntimeouts: {{job: {{minutes: 1}}}}\n{many}",
        "n".repeat(70_000)
    );
    let problems = Job::parse(&Source::new("job.yaml", text)).unwrap_err().problems;
    assert_eq!(problems.len(), 2);
    let keys: String = (0..1500).map(|key| format!("  key{key}: 1\n")).collect();
    let text = format!("{GROUP}context:\n{keys}");
    insta::assert_snapshot!(Job::parse(&Source::new("job.yaml", text)).unwrap_err(), @"
    job.yaml:30:3: error[out-of-range]: `context` has 1500 keys; 1000 are allowed
    ");
    let keys = |indent: &str| (0..900).map(|key| format!("{indent}key{key}: 1\n")).collect::<String>();
    let text = format!("context:\n{}{}", keys("  "), keys(""));
    let problems = Job::parse(&Source::new("job.yaml", text)).unwrap_err().problems;
    assert_eq!(problems.len(), MAX_PROBLEMS);
    assert!(problems.iter().any(Diagnostic::is_error));
}
