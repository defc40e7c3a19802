//! Whole job files, good and bad.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::problems::render;
use crate::diagnostic::{Severity, Source};
use crate::job::{BlockKind, BootCommands, BootImage, DefinitionSource, GroupRequest, Job, RoleKind};

const MINUTE: Duration = Duration::from_secs(60);

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/jobs")).join(name)
}

fn source(name: &str) -> Source {
    let read = Source::read(&path(name)).unwrap();
    Source::new(name, read.text)
}

fn good(name: &str) -> Job {
    let source = source(name);
    Job::parse(&source).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The rendered problems of a bad fixture, which must have the code that it is named after.
fn bad(code: &str) -> String {
    let problems = Job::parse(&source(&format!("bad/{code}.yaml"))).unwrap_err();
    assert!(problems.problems.iter().any(|problem| problem.code == code), "{problems}");
    let rendered = render(&problems, false);
    rendered.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_seed_has_one_board_and_three_guests_that_wait_for_it() {
    let job = good("seed.yaml");
    assert_eq!((job.name.as_str(), job.timeout), ("bbb-guest-ssh", 30 * MINUTE));
    let [host, guest] = job.roles.as_slice() else { panic!("{:?}", job.roles) };
    assert!(
        matches!(&host.kind, RoleKind::Device { device_type } if device_type.value == "beaglebone-black")
    );
    assert!(matches!(&guest.kind, RoleKind::Connection { host_role } if host_role.value == "host"));
    assert_eq!((host.count, guest.count), (1, 3));
    let delayed = guest.delayed_start.as_ref().unwrap();
    assert_eq!((delayed.expect_role.as_str(), delayed.timeout), ("host", 15 * MINUTE));
    assert_eq!((host.group_timeout, guest.group_timeout), (10 * MINUTE, 15 * MINUTE));
    assert_eq!(job.warnings, []);
}

#[test]
fn the_seeds_old_forms_are_understood() {
    let job = good("seed.yaml");
    let kinds: Vec<_> = job.blocks.iter().map(|block| &block.kind).collect();
    let [
        BlockKind::DeployTftp(tftp),
        BlockKind::DeploySsh(ssh),
        BlockKind::BootUboot(uboot),
        BlockKind::BootSsh(login),
        BlockKind::Test(host),
        BlockKind::Test(guest),
    ] = kinds.as_slice()
    else {
        panic!("{kinds:?}")
    };
    assert!(tftp.authorize_ssh && tftp.kernel_type.is_none());
    assert_eq!(uboot.image, Some(BootImage::Zimage));
    assert_eq!(uboot.commands.value, BootCommands::Named("nfs".to_owned()));
    assert_eq!(uboot.shutdown_message.as_deref(), Some("reboot: Restarting system"));
    let [call] = ssh.protocol_calls.as_slice() else { panic!("{ssh:?}") };
    assert_eq!((call.request, call.message_id.as_str()), (GroupRequest::Wait, "ipv4"));
    assert_eq!(call.message, [("ipaddr".to_owned(), "$ipaddr".to_owned())]);
    assert_eq!(call.timeout, 5 * MINUTE);
    assert_eq!((login.host_id.as_str(), login.host_key.as_str()), ("ipv4", "ipaddr"));
    assert_eq!(host.name.as_deref(), Some("install-ssh-server"));
    let dirs: Vec<_> = host.definitions.iter().chain(&guest.definitions).map(|spec| &spec.dir).collect();
    assert_eq!(dirs, ["0_ssh-inline", "1_smoke-tests", "0_smoke-tests", "1_ssh-client"]);
    let DefinitionSource::Inline(definition) = &host.definitions[0].source else { panic!("{host:?}") };
    assert_eq!(definition.install.deps, ["openssh-server", "ntpdate"]);
    assert_eq!(definition.steps[2], "lava-send ipv4 ipaddr=$(lava-echo-ipv4 eth0)");
    let DefinitionSource::Git { url, path, .. } = &guest.definitions[0].source else { panic!("{guest:?}") };
    assert_eq!(url, "git://git.linaro.org/qa/test-definitions.git");
    assert_eq!(path, "ubuntu/smoke-tests-basic.yaml");
}

#[test]
fn a_timeout_beside_the_protocol_is_accepted_with_a_warning() {
    let text = source("seed.yaml").text.replace(
        "          timeout:  # delay_start timeout\n            minutes: 5\n",
        "        timeout:\n          minutes: 5\n",
    );
    let job = Job::parse(&Source::new("seed.yaml", text)).unwrap();
    let codes: Vec<_> = job.warnings.iter().map(|warning| (warning.code, warning.severity)).collect();
    assert_eq!(codes, [("misplaced-timeout", Severity::Warning)]);
}

#[test]
fn timeouts_have_lavas_precedence_and_the_jobs_bound() {
    let job = good("single-node.yaml");
    let [deploy, boot, test] = job.blocks.as_slice() else { panic!("{:?}", job.blocks) };
    assert_eq!(deploy.timeouts.total, 5 * MINUTE, "the job's `action`");
    assert_eq!(boot.timeouts.total, 4 * MINUTE, "the block's `timeout`");
    assert_eq!(test.timeouts.total, 3 * MINUTE, "the job's `actions` by name");
    assert_eq!(boot.timeouts.part("auto-login-action"), 2 * MINUTE);
    assert_eq!(boot.timeouts.part("bootloader-commands"), MINUTE, "the block's `timeouts` by name");
    assert_eq!(boot.timeouts.part("bootloader-interrupt"), 4 * MINUTE, "nothing named: the whole block's");
    assert_eq!(boot.timeouts.connection, Duration::from_secs(40));
}

#[test]
fn times_longer_than_the_jobs_are_cut_with_a_warning() {
    let text = source("single-node.yaml").text.replace("timeout: {minutes: 4}", "timeout: {hours: 1}");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.blocks[1].timeouts.total, 20 * MINUTE);
    assert_eq!(job.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["timeout-exceeds-job"]);
}

#[test]
fn without_any_time_lavas_default_holds() {
    let text = source("single-node.yaml").text.replace("  action: {minutes: 5}\n", "");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.blocks[0].timeouts.total, Duration::from_secs(30));
}

#[test]
fn values_keep_the_text_that_was_written() {
    let job = good("single-node.yaml");
    assert_eq!(job.environment, [("DEBUG".to_owned(), "0".to_owned())]);
    let BlockKind::Test(test) = &job.blocks[2].kind else { panic!("{:?}", job.blocks[2]) };
    assert_eq!(test.definitions[0].params, [("LOOPS".to_owned(), "010".to_owned())]);
}

#[test]
fn anchors_merge_keys_and_doubled_keys_are_read_as_pyyaml_reads_them() {
    let text = source("single-node.yaml")
        .text
        .replace("  action: {minutes: 5}\n", "  action: &five {minutes: 5}\n  actions: *five\n");
    // `actions` is written twice: the later one counts.
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["duplicate-key"]);
    assert_eq!(job.blocks[2].timeouts.total, 3 * MINUTE);
    let text = source("single-node.yaml")
        .text
        .replace("timeout: {minutes: 4}", "timeout:\n      <<: &base {minutes: 1}\n      seconds: 30");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.blocks[1].timeouts.total, Duration::from_secs(90));
}

#[test]
fn ordinary_jobs_of_lavas_own_are_accepted() {
    for name in ["uboot-nfs.yaml", "uboot-ramdisk.yaml"] {
        let job = good(name);
        assert_eq!((job.roles.len(), job.blocks.len()), (1, 3), "{name}");
    }
}

#[test]
fn our_own_example_is_accepted_without_a_warning() {
    let source = Source::read(&path("../../../examples/bbb-ssh-guest.yaml")).unwrap();
    let job = Job::parse(&source).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(job.warnings, []);
    assert_eq!(job.blocks.len(), 6);
}

#[test]
fn deep_and_large_files_are_refused() {
    for text in ["[".repeat(100_000), "a: &a [x, x, x, x, x, x, x, x]\n".to_owned() + &billion_laughs()] {
        let problems = Job::parse(&Source::new("job.yaml", text)).unwrap_err();
        assert_eq!(problems.problems[0].code, "yaml-syntax");
    }
}

fn billion_laughs() -> String {
    let letters: Vec<_> = ('a'..='i').collect();
    let line = |pair: &[char]| {
        format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 9].join(", "))
    };
    letters.windows(2).map(line).collect()
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
fn unsupported_ways_to_deploy_are_refused_by_name() {
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
}

#[test]
fn unsupported_ways_to_boot_are_refused_by_name() {
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
}

#[test]
fn unsupported_kinds_of_tests_are_refused_by_name() {
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
fn misspelt_methods_are_corrected() {
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
}

#[test]
fn misspelt_values_are_corrected() {
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
      help: did you mean `zip`? it is one of `bz2`, `gz`, `xz`, `zip`, `zstd`
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
      help: use letters, digits, `-`, `_` and `.`; `lava` is reserved
    ");
}

#[test]
fn roles_must_exist_and_belong_together() {
    insta::assert_snapshot!(bad("unknown-role"), @r#"
    own-role

      x `expect_role` of role `guest` names the role itself
       ,-[bad/unknown-role.yaml:7:7]
     6 |       host: {device_type: beaglebone-black, count: 1}
     7 |       guest: {host_role: hots, connection: ssh, request: lava-start, expect_role: guest}
       :       ^^^^^
     8 |       nobody: {count: 2}
       `----
    unknown-role

      x `host_role` names no role of this job: `hots`
       ,-[bad/unknown-role.yaml:7:26]
     6 |       host: {device_type: beaglebone-black, count: 1}
     7 |       guest: {host_role: hots, connection: ssh, request: lava-start, expect_role: guest}
       :                          ^^^^
     8 |       nobody: {count: 2}
       `----
      help: did you mean `host`?
    missing-key

      x role `nobody` has neither `device_type` nor `host_role`
       ,-[bad/unknown-role.yaml:8:15]
     7 |       guest: {host_role: hots, connection: ssh, request: lava-start, expect_role: guest}
     8 |       nobody: {count: 2}
       :               ^
     9 | actions:
       `----
      help: give it a `device_type`, or `connection: ssh` and the `host_role` to connect to
    unknown-role

      x `role` names no role of this job: `gest`
        ,-[bad/unknown-role.yaml:10:35]
      9 | actions:
     10 | - deploy: {to: tftp, role: [host, gest], kernel: {url: "https://artifacts.example.org/bbb/zImage"}}
        :                                   ^^^^
     11 | - boot: {method: u-boot, commands: nfs, prompts: ['#']}
        `----
      help: did you mean `guest`?
    missing-key

      x `boot` needs `role`: every action of a job with roles does
        ,-[bad/unknown-role.yaml:11:3]
     10 | - deploy: {to: tftp, role: [host, gest], kernel: {url: "https://artifacts.example.org/bbb/zImage"}}
     11 | - boot: {method: u-boot, commands: nfs, prompts: ['#']}
        :   ^^^^
        `----
    needs-board

      x role `guest` is a connection: it has no board to deploy to or to boot
        ,-[bad/unknown-role.yaml:11:3]
     10 | - deploy: {to: tftp, role: [host, gest], kernel: {url: "https://artifacts.example.org/bbb/zImage"}}
     11 | - boot: {method: u-boot, commands: nfs, prompts: ['#']}
        :   ^^^^
        `----
    "#);
}

#[test]
fn guests_must_learn_the_address_of_one_board() {
    insta::assert_snapshot!(bad("missing-address"), @"
    host-role

      x `host_role` needs a role with one node, and `host` has 2
       ,-[bad/missing-address.yaml:6:7]
     5 |     roles:
     6 |       host: {device_type: beaglebone-black, count: 2}
       :       ^^|^
       :         `-- that role
     7 |       guest: {host_role: host, connection: ssh}
       :                          ^^^^
     8 | actions:
       `----
    missing-address

      x no `lava-wait` of role `guest` waits for the message `ipv4` (`hostID`)
        ,-[bad/missing-address.yaml:11:3]
     10 | - deploy: {to: ssh, role: guest}
     11 | - boot: {method: ssh, role: guest, prompts: ['#'], parameters: {hostID: ipv4, host_key: ipaddr}}
        :   ^^^^
        `----
    ");
}
