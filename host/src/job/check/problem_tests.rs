//! Job files with problems: one fixture for each kind, and what the user is shown.

use std::path::Path;

use crate::cli::problems::render;
use crate::diagnostic::Source;
use crate::job::Job;

fn source(name: &str) -> Source {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/jobs"));
    Source::new(name, Source::read(&directory.join(name)).unwrap().text)
}

/// The rendered problems of a bad fixture, which must have the code that it is named after.
pub(super) fn bad(code: &str) -> String {
    let problems = Job::parse(&source(&format!("bad/{code}.yaml"))).unwrap_err();
    assert!(problems.problems.iter().any(|problem| problem.code == code), "{problems}");
    let rendered = render(&problems, false);
    rendered.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn syntax_errors_have_a_place() {
    insta::assert_snapshot!(bad("yaml-syntax"), @"
    yaml-syntax

      x while parsing a flow mapping, did not find expected ',' or '}'
       ,-[bad/yaml-syntax.yaml:7:9]
     6 |
     7 |   action: {minutes: 5}
       :         ^
     8 |   actions:
       `----
    ");
}

#[test]
fn unknown_keys_are_told_all_at_once_with_a_suggestion() {
    insta::assert_snapshot!(bad("unknown-key"), @r#"
    unknown-key

      x `job` has no key `minute`
       ,-[bad/unknown-key.yaml:5:9]
     4 | timeouts:
     5 |   job: {minute: 20}
       :         ^^^^^^
     6 |   action: {minutes: 5}
       `----
      help: did you mean `minutes`?
    unknown-key

      x `deploy` has no key `nfsroofts`
        ,-[bad/unknown-key.yaml:18:5]
     17 |     dtb: {url: "https://artifacts.example.org/bbb/am335x-boneblack.dtb"}
     18 |     nfsroofts: {url: "https://artifacts.example.org/bbb/rootfs.tar.gz", compression: gz}
        :     ^^^^^^^^^
     19 | - boot:
        `----
      help: did you mean `nfsrootfs`?
    unknown-key

      x `boot` has no key `promts`
        ,-[bad/unknown-key.yaml:22:5]
     21 |     commands: nfs
     22 |     promts: 'root@debian:'
        :     ^^^^^^
     23 |     timeout: {minutes: 4}
        `----
      help: did you mean `prompts`?
    "#);
}

#[test]
fn missing_keys_are_named() {
    insta::assert_snapshot!(bad("missing-key"), @r#"
    missing-key

      x `job` needs `job_name`
       ,-[bad/missing-key.yaml:1:1]
     1 | device_type: beaglebone-black
       : ^
     2 | visibility: public
       `----
    missing-key

      x `deploy` needs `to`
        ,-[bad/missing-key.yaml:13:3]
     12 | actions:
     13 | - deploy:
        :   ^^^^^^
     14 |     kernel: {url: "https://artifacts.example.org/bbb/zImage", type: zimage}
        `----
    missing-key

      x `definitions` needs `path`
        ,-[bad/missing-key.yaml:26:7]
     25 |     definitions:
     26 |     - repository: https://git.example.org/tests.git
        :       ^
     27 |       from: git
        `----
    "#);
}

#[test]
fn a_step_that_yaml_takes_for_a_mapping_is_explained() {
    insta::assert_snapshot!(bad("wrong-type"), @"
    wrong-type

      x `steps` must be text, not a mapping
        ,-[bad/wrong-type.yaml:32:13]
     31 |           steps:
     32 |           - echo answer: 42
        :             ^
     33 |       from: inline
        `----
      help: a `: ` makes YAML see a mapping: put the whole line in quotes
    ");
}

#[test]
fn timeouts_need_a_unit_and_a_number() {
    insta::assert_snapshot!(bad("invalid-timeout"), @"
    invalid-timeout

      x `job` needs a unit
       ,-[bad/invalid-timeout.yaml:5:8]
     4 | timeouts:
     5 |   job: 20
       :        ^^
     6 |   action: {minutes: 5}
       `----
      help: write `job: { seconds: 20 }`
    invalid-timeout

      x `minutes` must be a whole number from 1
        ,-[bad/invalid-timeout.yaml:23:24]
     22 |     prompts: 'root@debian:'
     23 |     timeout: {minutes: 0}
        :                        ^
     24 |     timeouts:
        `----
    ");
}

#[test]
fn misspelt_names_in_timeouts_are_corrected() {
    insta::assert_snapshot!(bad("unknown-timeout"), @"
    unknown-timeout

      x there is no action `auto-login-acton`: its time would bound nothing
       ,-[bad/unknown-timeout.yaml:8:5]
     7 |   actions:
     8 |     auto-login-acton: {minutes: 2}
       :     ^^^^^^^^^^^^^^^^
     9 |     lava-test-shell: {minutes: 3}
       `----
      help: did you mean `auto-login-action`?
    unknown-timeout

      x there is no action `lava-test-shel`: its time would bound nothing
        ,-[bad/unknown-timeout.yaml:11:5]
     10 |   connections:
     11 |     lava-test-shel: {seconds: 10}
        :     ^^^^^^^^^^^^^^
     12 | environment:
        `----
      help: did you mean `lava-test-shell`?
    unknown-timeout

      x there is no action `u-boot-commands`: its time would bound nothing
        ,-[bad/unknown-timeout.yaml:26:7]
     25 |     timeouts:
     26 |       u-boot-commands: {minutes: 1}
        :       ^^^^^^^^^^^^^^^
     27 | - test:
        `----
      help: did you mean `uboot-commands`?
    ");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    insta::assert_snapshot!(bad("unsupported-deploy"), @r#"
    unsupported-deploy

      x `deploy: to: fastboot` is not supported
        ,-[bad/unsupported-deploy.yaml:15:9]
     14 | - deploy:
     15 |     to: fastboot
        :         ^^^^^^^^
     16 |     kernel: {url: "https://artifacts.example.org/bbb/zImage", type: zimage}
        `----
      help: supported are `tftp` and `ssh`
    "#);
    insta::assert_snapshot!(bad("unsupported-boot"), @"
    unsupported-boot

      x `boot: method: grub` is not supported
        ,-[bad/unsupported-boot.yaml:20:13]
     19 | - boot:
     20 |     method: grub
        :             ^^^^
     21 |     commands: nfs
        `----
      help: supported are `u-boot` and `ssh`
    ");
    insta::assert_snapshot!(bad("unsupported-test"), @"
    unsupported-test

      x `test` with `interactive` is not supported
        ,-[bad/unsupported-test.yaml:27:5]
     26 | - test:
     27 |     interactive:
        :     ^^^^^^^^^^^
     28 |     - name: network
        `----
      help: supported are tests with `definitions`
    ");
}

#[test]
fn misspelt_words_are_corrected() {
    insta::assert_snapshot!(bad("unknown-boot"), @"
    unknown-boot

      x `boot` knows no `method: uboot`
        ,-[bad/unknown-boot.yaml:20:13]
     19 | - boot:
     20 |     method: uboot
        :             ^^^^^
     21 |     commands: nfs
        `----
      help: did you mean `u-boot`?
    ");
    insta::assert_snapshot!(bad("unknown-value"), @r#"
    unknown-value

      x `type` cannot be `zImage`
        ,-[bad/unknown-value.yaml:16:69]
     15 |     to: tftp
     16 |     kernel: {url: "https://artifacts.example.org/bbb/zImage", type: zImage}
        :                                                                     ^^^^^^
     17 |     dtb: {url: "https://artifacts.example.org/bbb/am335x-boneblack.dtb"}
        `----
      help: did you mean `zimage`? it is one of `zimage`, `image`, `uimage`
    unknown-value

      x `compression` cannot be `gzip`
        ,-[bad/unknown-value.yaml:18:86]
     17 |     dtb: {url: "https://artifacts.example.org/bbb/am335x-boneblack.dtb"}
     18 |     nfsrootfs: {url: "https://artifacts.example.org/bbb/rootfs.tar.gz", compression: gzip}
        :                                                                                      ^^^^
     19 | - boot:
        `----
      help: it is one of `bz2`, `gz`, `xz`, `zstd`
    "#);
}

#[test]
fn prompts_must_be_regular_expressions() {
    insta::assert_snapshot!(bad("invalid-regex"), @r"
    invalid-regex

      x `prompts` is not a regular expression: unclosed group
        ,-[bad/invalid-regex.yaml:22:31]
     21 |     commands: nfs
     22 |     prompts: ['root@debian:', 'root@(debian:']
        :                               ^^^^^^^^^^^^^^^
     23 |     timeout: {minutes: 4}
        `----
      help: escape characters that have a meaning in regular expressions with `\`
    ");
}

#[test]
fn a_boot_needs_a_deployment() {
    insta::assert_snapshot!(bad("missing-deploy"), @"
    missing-deploy

      x role `board` boots before it deploys
        ,-[bad/missing-deploy.yaml:14:3]
     13 | actions:
     14 | - boot:
        :   ^^^^
     15 |     method: u-boot
        `----
    ");
}

#[test]
fn checksums_have_a_length() {
    insta::assert_snapshot!(bad("invalid-checksum"), @r#"
    invalid-checksum

      x `sha256sum` must be 64 hexadecimal digits, not 3 characters
        ,-[bad/invalid-checksum.yaml:18:101]
     17 |     dtb: {url: "https://artifacts.example.org/bbb/am335x-boneblack.dtb"}
     18 |     nfsrootfs: {url: "https://artifacts.example.org/bbb/rootfs.tar.gz", compression: gz, sha256sum: abc}
        :                                                                                                     ^^^
     19 | - boot:
        `----
    "#);
}

#[test]
fn urls_that_cannot_be_fetched_are_refused() {
    insta::assert_snapshot!(bad("unsupported-url"), @r#"
    unsupported-url

      x `scp://server/zImage` cannot be fetched
        ,-[bad/unsupported-url.yaml:16:19]
     15 |     to: tftp
     16 |     kernel: {url: "scp://server/zImage", type: zimage}
        :                   ^^^^^^^^^^^^^^^^^^^^^
     17 |     dtb: {url: "https://artifacts.example.org/bbb/am335x-boneblack.dtb"}
        `----
      help: begin the URL with `http://`, `https://` or `file://`
    "#);
}

#[test]
fn an_action_whose_keys_are_not_indented_is_explained() {
    insta::assert_snapshot!(bad("not-an-action"), @r#"
    not-an-action

      x an action must be one of `deploy`, `boot` and `test`, with its keys below it
        ,-[bad/not-an-action.yaml:19:3]
     18 |     nfsrootfs: {url: "https://artifacts.example.org/bbb/rootfs.tar.gz", compression: gz}
     19 | - boot:
        :   ^
     20 |   method: u-boot
        `----
      help: indent the keys of an action deeper than its name
    "#);
}

#[test]
fn names_that_cannot_be_directories_are_refused() {
    insta::assert_snapshot!(bad("invalid-name"), @"
    invalid-name

      x `smoke tests` cannot be the name of a definition
        ,-[bad/invalid-name.yaml:31:13]
     30 |       path: smoke.yaml
     31 |       name: smoke tests
        :             ^^^^^^^^^^^
     32 |       parameters: {LOOPS: 010}
        `----
      help: use letters, digits, `-`, `_` and `.`; begin with another character than `.`
    ");
}
