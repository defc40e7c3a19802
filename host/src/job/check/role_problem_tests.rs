//! Job files whose roles do not fit together, and what the user is shown.

use super::problem_tests::bad;

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
    idle-role

      ! role `guest` has no actions
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
