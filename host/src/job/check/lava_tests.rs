//! What LAVA takes is taken, and what could not work is told: each by one small job.

use crate::diagnostic::Source;
use crate::job::Job;

const JOB: &str = "\
job_name: small
device_type: beaglebone-black
timeouts: {job: {minutes: 30}, action: {minutes: 5}}
actions:
- deploy:
    to: tftp
    kernel: {url: http://h/zImage, type: zimage}
    nfsrootfs: {url: http://h/r.tar.xz, compression: xz}
- boot:
    method: u-boot
    commands: nfs
    prompts: ['root@debian:~#']
- test:
    definitions:
    - from: inline
      name: smoke
      path: smoke.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
        run: {steps: ['true']}
";

/// What is wrong with `JOB` once `from` is replaced by `to`.
fn problems(from: &str, to: &str) -> String {
    assert!(JOB.contains(from), "{from}");
    said(&JOB.replacen(from, to, 1))
}

fn said(text: &str) -> String {
    match Job::parse(&Source::new("job.yaml", text)) {
        Ok(job) => job.warnings.iter().map(|warning| format!("warning: {}", warning.message)).collect(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn what_lava_takes_is_taken() {
    let parameters = "method: u-boot\n    parameters: {kernel-start-message: ''}";
    assert_eq!(problems("method: u-boot", parameters), "");
    for context in ["kernel_start_message: ''", "uboot_needs_interrupt: 'True'", "boot_character_delay: '10'"]
    {
        assert_eq!(problems("actions:", &format!("context: {{{context}}}\nactions:")), "", "{context}");
    }
    assert_eq!(problems("http://h/zImage", "file:/srv/zImage"), "");
    assert_eq!(problems("http://h/zImage", "scp://me@h/srv/zImage"), "");
    let measures = "- test:\n    monitors:\n    - {name: t, start: a, end: b, pattern: '(?P<test_case_id>\\w+) (?P<measurement>\\d+) tcs'}\n";
    assert_eq!(said(&format!("{JOB}{measures}")), "");
}

#[test]
fn what_a_scheduler_reads_is_taken_in_a_group() {
    let group = JOB
        .replace(
            "device_type: beaglebone-black\n",
            "protocols: {lava-multinode: {pool_pattern: 'lab-*', roles: {a: {device_type: bbb, worker: w}, b: {device_type: bbb}}}}\n",
        )
        .replace("- deploy:\n", "- deploy:\n    role: [a, b]\n")
        .replace("- boot:\n", "- boot:\n    role: [a, b]\n");
    let (head, tests) = group.split_once("- test:\n").unwrap();
    let of = |role: &str, steps: &str| {
        format!("- test:\n    role: [{role}]\n{}", tests.replace("run: {steps: ['true']}", steps))
    };
    let sends = "install: {steps: [lava-send done]}\n        run: {steps: [lava-sync end]}";
    let waits = "run: {steps: [lava-wait done, lava-sync end]}";
    assert_eq!(said(&[head, &of("a", sends), &of("b", waits)].concat()), "");
    // Where much is out of sight, what is in sight is looked at all the same.
    let hidden = "run: {steps: [./more.sh, lava-send doen, lava-sync end]}";
    insta::assert_snapshot!(said(&[head, &of("a", hidden), &of("b", waits)].concat()), @"
    warning: nobody visibly sends the message `done`, and `doen` is sent to nobody
    ");
}

#[test]
fn files_that_a_list_of_commands_loads_must_be_deployed() {
    insta::assert_snapshot!(problems("    nfsrootfs: {url: http://h/r.tar.xz, compression: xz}\n", ""), @"
    job.yaml:10:15: error[missing-deploy]: the commands `nfs` need a `nfsrootfs`, and none is deployed (add `nfsrootfs` to the `deploy` before this boot)
    ");
    insta::assert_snapshot!(problems("    kernel: {url: http://h/zImage, type: zimage}\n", ""), @"
    job.yaml:10:15: error[missing-deploy]: the commands `nfs` need a `kernel`, and none is deployed (add `kernel` to the `deploy` before this boot)
    ");
    insta::assert_snapshot!(problems("commands: nfs", "commands: ramdisk"), @"
    warning: the commands `ramdisk` need a `ramdisk`, and none is deployed
    ");
    assert_eq!(problems("commands: nfs", "commands: emmc"), "");
    insta::assert_snapshot!(problems("compression: xz", "compression: gz"), @"
    warning: `compression` is `gz`, and the file's name says `xz`
    ");
}

#[test]
fn one_mistake_is_told_once_and_where_it_is() {
    insta::assert_snapshot!(problems("action: {minutes: 5}}", "action: 5}"), @"
    job.yaml:3:40: error[invalid-timeout]: `action` needs a unit (write `action: { seconds: 5 }`)
    ");
    insta::assert_snapshot!(problems("to: tftp", "to: tftp\n    timeout: 5"), @"
    job.yaml:7:14: error[invalid-timeout]: `timeout` needs a unit (write `timeout: { seconds: 5 }`)
    ");
    insta::assert_snapshot!(problems("['true']", "[echo a: b]"), @"
    job.yaml:20:23: error[wrong-type]: `steps` must be text, not a mapping (a `: ` makes YAML see a mapping: put the whole line in quotes)
    ");
    insta::assert_snapshot!(problems("- test:", "  test:"), @"
    job.yaml:13:3: error[not-an-action]: `test` is part of the action `boot` above it (begin each action with `- `: write `- test:`)
    ");
    insta::assert_snapshot!(problems("prompts: ['root@debian:~#']", "prompts: ['(?P<u>a)(?P=u)']"), @"
    job.yaml:12:15: error[invalid-regex]: `prompts` is not a regular expression that is supported: it refers back to what one of its groups has found (write a pattern that matches the text itself)
    ");
    insta::assert_snapshot!(problems("prompts: ['root@debian:~#']", "prompts: ['root@debian:~#']\n    auto_login:"), @"
    job.yaml:13:5: error[empty-value]: `auto_login` has no value (indent its keys below it, or leave it out)
    ");
    insta::assert_snapshot!(said("\n \n"), @"
    job.yaml:1:1: error[empty-value]: the file is empty
    ");
    insta::assert_snapshot!(said("[boards.b]\ntype = \"x\"\n"), @"
    job.yaml:1:1: error[yaml-syntax]: this looks like TOML, and a job is YAML (give a bench file with `--bench`)
    ");
}
