//! Jobs of a host with secondary connections to it, as text.

use testbench::harness::{ARTIFACTS_URL, Definition};

/// A group: a host on the fake board, and guests.
#[derive(Clone, Debug)]
pub(crate) struct GroupJob {
    guests: u32,
    host_definitions: String,
    guest_definitions: String,
    authorize: bool,
    group_seconds: u32,
    boot_seconds: u32,
}

impl GroupJob {
    /// One guest, which meets the host at a barrier. The host sends `address` as its own.
    pub(crate) fn new(address: impl std::fmt::Display) -> Self {
        let announce = format!("lava-send ipv4 ipaddr={address}");
        let host =
            ["lava-test-case first --result pass", &announce, "lava-send lava_start", "lava-sync clients"];
        Self {
            guests: 1,
            host_definitions: String::new(),
            guest_definitions: String::new(),
            authorize: true,
            group_seconds: 60,
            boot_seconds: 60,
        }
        .host(&[Definition::new("announce", &host)])
        .guest(&[Definition::new("guest", &["lava-test-case there --result pass", "lava-sync clients"])])
    }

    /// Replaces the host's definitions.
    pub(crate) fn host(self, definitions: &[Definition]) -> Self {
        Self { host_definitions: to_yaml(definitions), ..self }
    }

    /// Replaces the guests' definitions.
    pub(crate) fn guest(self, definitions: &[Definition]) -> Self {
        Self { guest_definitions: to_yaml(definitions), ..self }
    }

    /// Adds a definition from a git repository to those of the guests.
    pub(crate) fn guest_from_git(mut self, repository: &str, branch: &str, path: &str) -> Self {
        self.guest_definitions.push_str(&format!(
            "    - {{from: git, repository: '{repository}', branch: '{branch}', path: '{path}', name: from-git}}\n"
        ));
        self
    }

    /// How many guests there are.
    pub(crate) fn guests(self, guests: u32) -> Self {
        Self { guests, ..self }
    }

    /// Leaves `authorize: ssh` out.
    pub(crate) fn without_authorize(self) -> Self {
        Self { authorize: false, ..self }
    }

    /// How long helpers wait for the group.
    pub(crate) fn group_seconds(self, group_seconds: u32) -> Self {
        Self { group_seconds, ..self }
    }

    /// How long guests may take to connect.
    pub(crate) fn boot_seconds(self, boot_seconds: u32) -> Self {
        Self { boot_seconds, ..self }
    }

    /// The job file.
    pub(crate) fn to_yaml(&self) -> String {
        let Self { guests, host_definitions, guest_definitions, group_seconds, boot_seconds, .. } = self;
        let authorize = if self.authorize { "\n    authorize: ssh" } else { "" };
        format!(
            "job_name: group
timeouts:
  job: {{minutes: 3}}
  action: {{minutes: 2}}
  connection: {{minutes: 1}}
protocols:
  lava-multinode:
    roles:
      host:
        device_type: fake-board
        count: 1
        timeout: {{seconds: {group_seconds}}}
      guest:
        request: lava-start
        expect_role: host
        connection: ssh
        host_role: host
        count: {guests}
        timeout: {{seconds: {group_seconds}}}
actions:
- deploy:
    role: [host]
    to: tftp
    os: debian{authorize}
    kernel: {{url: '{ARTIFACTS_URL}zImage', type: zimage}}
    nfsrootfs: {{url: '{ARTIFACTS_URL}rootfs.tar'}}
- deploy:
    role: [guest]
    to: ssh
    os: debian
    protocols:
      lava-multinode:
      - action: prepare-scp-overlay
        request: lava-wait
        messageID: ipv4
        message: {{ipaddr: $ipaddr}}
        timeout: {{minutes: 1}}
- boot:
    role: [host]
    method: u-boot
    commands: nfs
    prompts: ['root@debian:']
- boot:
    role: [guest]
    method: ssh
    prompts: ['root@debian:']
    timeout: {{seconds: {boot_seconds}}}
    parameters: {{hostID: ipv4, host_key: ipaddr}}
- test:
    role: [host]
    definitions:
{host_definitions}- test:
    role: [guest]
    definitions:
{guest_definitions}"
        )
    }
}

fn to_yaml(definitions: &[Definition]) -> String {
    definitions.iter().map(|definition| definition.to_yaml(4)).collect()
}
