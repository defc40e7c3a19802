//! Tests that are typed: into a real U-Boot, and into a real shell after it.

use crate::jobs::on_linux;
use crate::lab::{Artifacts, Home};
use crate::nodes::{nodes, tests};

/// U-Boot is asked, and its answers are used.
const IN_UBOOT: &str = r#"job_name: typed into U-Boot
device_type: qemu-virt-arm
timeouts: {job: {minutes: 5}, action: {minutes: 3}, connection: {seconds: 60}}
actions:
- boot:
    method: bootloader
    bootloader: u-boot
    commands: ['setenv ipaddr 10.77.0.2']
    prompts: ['=>']
- test:
    interactive:
    - name: network
      prompts: ['=> ']
      script:
      - name: address
        command: printenv ipaddr
        successes: [{message: 'ipaddr=(?P<addr>[0-9.]+)'}]
      - name: used
        command: echo it is {addr}
        successes: [{message: 'it is 10\.77\.0\.2'}]
      - name: ping
        command: setenv serverip {SERVER_IP}; ping {SERVER_IP}
        successes: [{message: is alive}]
        failures: [{message: not alive, exception: InfrastructureError, error: no network}]
      - name: echo-is-no-answer
        command: echo nothing && foo
        successes: [{message: nothing && foo}]
        failures: [{message: Unknown command}]
      - delay: 1
      - command: version
"#;

#[test]
fn u_boot_is_asked_and_its_answers_are_used() {
    let home = Home::new(Artifacts::NoKernel);
    let ended = home.run("run", IN_UBOOT).wait();
    assert_eq!(ended.code, Some(1), "{ended:?}\n{}", ended.output());
    assert_eq!(ended.tests(), ["address pass", "used pass", "ping pass", "echo-is-no-answer fail"]);
    assert_eq!(
        ended.phases(),
        ["prepare pass", "boot-bootloader pass", "test-interactive fail", "power-off pass"]
    );
    home.assert_nothing_left();
}

#[test]
fn a_step_without_a_name_that_fails_ends_the_job() {
    let home = Home::new(Artifacts::NoKernel);
    let job = IN_UBOOT
        .replace("      - command: version\n", "      - {command: foo, successes: [{message: found}]}\n");
    let ended = home.run("run", &job).wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.fault("class"), "test");
    assert!(
        ended.fault("message").contains("`foo` failed: the prompt came, and no success before it"),
        "{ended:?}"
    );
}

#[test]
fn a_job_goes_on_in_linux_where_it_has_left_u_boot_and_tries_again_what_has_failed() {
    let steps =
        "['test -e /tmp/again || { touch /tmp/again; false; }', 'lava-test-case second --result pass']";
    let linux = on_linux(steps);
    let (head, blocks) = linux.split_once("actions:\n").unwrap();
    let loader = "- boot:
    method: bootloader
    bootloader: u-boot
    prompts: ['=> ']
";
    let shell = "- test:
    connection-namespace: linux
    interactive:
    - name: shell
      prompts: ['root@debian:[^#]*# ']
      script:
      - {name: machine, command: uname -m, successes: [{message: armv7l}]}
";
    let named = |block: &str, name: &str| block.replacen(":\n", &format!(":\n    namespace: {name}\n"), 1);
    let blocks: Vec<String> = blocks.split_inclusive("\n- ").map(str::to_owned).collect();
    let linux: String = blocks
        .concat()
        .split("\n- ")
        .map(|block| named(&format!("- {}\n", block.trim_start_matches("- ").trim_end()), "linux"))
        .collect();
    let linux = linux.replace("    method: u-boot\n", "    method: u-boot\n    reset: false\n");
    let linux = linux.replace("    definitions:\n", "    failure_retry: 2\n    definitions:\n");
    let job = format!("{head}actions:\n{}{linux}{}", named(loader, "loader"), named(shell, "loader"));
    let home = Home::new(Artifacts::Linux);
    let ended = home.run("run", &job).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}\n{job}", ended.output());
    assert_eq!(ended.tests(), ["second pass", "machine pass"]);
    home.assert_nothing_left();
}

/// Two U-Boots that know of each other by the group alone.
const GROUP_IN_UBOOT: &str = r#"job_name: two U-Boots
timeouts: {job: {minutes: 6}, action: {minutes: 4}, connection: {seconds: 60}}
protocols:
  lava-multinode:
    timeout: {minutes: 3}
    roles:
      asked: {device_type: qemu-virt-arm, count: 1}
      asking: {device_type: qemu-virt-arm, count: 1}
actions:
- boot:
    role: [asked, asking]
    method: bootloader
    bootloader: u-boot
    prompts: ['=> ']
- test:
    role: [asked]
    interactive:
    - name: tells
      prompts: ['=> ']
      script:
      - name: version
        command: version
        successes: [{message: 'U-Boot (?P<version>20[0-9.]+)'}]
      - {name: told, lava-send: 'asked version={version}'}
      - {name: together, lava-sync: end}
- test:
    role: [asking]
    interactive:
    - name: learns
      prompts: ['=> ']
      script:
      - {name: waited, lava-wait: asked}
      - name: same
        command: echo it is {version}
        successes: [{message: 'it is 20[0-9]+'}]
      - {name: all, lava-wait-all: 'asked role=asked'}
      - {name: together, lava-sync: end}
"#;

#[test]
fn two_u_boots_in_one_group_wait_for_each_other() {
    let home = Home::new(Artifacts::NoKernel).with_two_boards(64);
    let ended = home.run("run", GROUP_IN_UBOOT).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output());
    let results: Vec<_> = nodes(&ended).iter().map(tests).collect();
    assert_eq!(results[0], ["version pass", "told pass", "together pass"]);
    assert_eq!(results[1], ["waited pass", "same pass", "all pass", "together pass"]);
    home.assert_nothing_left();
}
