//! Definitions that install packages on the virtual board: real ones, by its own apt, with no network.

use crate::lab::{Artifacts, Home};
use crate::nodes::{definitions, nodes, tests};

/// A board and three SSH connections to it, which all want the same packages at once; then the board meets what gets
/// into the way of an installation, one thing after the other.
const JOB: &str = r#"
job_name: installs packages
timeouts: {job: {minutes: 8}, action: {minutes: 5}}
protocols:
  lava-multinode:
    roles:
      host: {device_type: qemu-virt-arm, count: 1}
      guest:
        request: lava-start
        expect_role: host
        connection: ssh
        host_role: host
        count: 3
        # Without it, LAVA's default of 30 s, in which a board on a busy PC has not booted.
        timeout: {minutes: 5}
actions:
- deploy:
    role: [host]
    to: tftp
    os: debian
    authorize: ssh
    kernel: {url: 'https://lab.example.org/bbb/zImage', type: zimage}
    nfsrootfs: {url: 'https://lab.example.org/debian-armhf-rootfs.tar.gz', compression: gz}
- deploy:
    role: [guest]
    to: ssh
    os: debian
    protocols:
      lava-multinode:
      - {action: prepare-scp-overlay, request: lava-wait, messageID: ipv4, message: {ipaddr: $ipaddr}}
- boot:
    role: [host]
    method: u-boot
    commands: nfs
    prompts: ['root@debian:']
    auto_login: {login_prompt: 'login:', username: root}
- boot:
    role: [guest]
    method: ssh
    prompts: ['root@debian:']
    parameters: {hostID: ipv4, host_key: ipaddr}
- test:
    role: [host]
    definitions:
    - from: inline
      name: address
      path: inline/address.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: address}
        run:
          steps: [lava-send ipv4 ipaddr=$(lava-echo-ipv4 eth0), lava-send lava_start]
- test:
    role: [host, guest]
    definitions:
    - from: inline
      name: meet
      path: inline/meet.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: meet}
        run:
          steps:
          - lava-test-case new --shell '! command -v jq'
          - lava-sync together
    - from: inline
      name: tools
      path: inline/tools.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: tools}
        # Libraries with ldconfig's trigger, and maintainer scripts that know what the system has already.
        install: {deps: [jq, less]}
        run:
          steps:
          - lava-test-case jq --shell 'echo "[1, 2]" | jq --exit-status ".[1] == 2"'
          - lava-test-case pager --shell 'update-alternatives --query pager | grep -x "Value:./usr/bin/less"'
          - lava-test-case installations --result pass --measurement $(grep -c ^Commandline /var/log/apt/history.log)
          - lava-sync installed
- test:
    role: [host]
    definitions:
    - from: inline
      name: obstacles
      path: inline/obstacles.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: obstacles}
        run:
          steps:
          - rm -r /var/lib/apt/lists/*_Packages /var/lib/apt/lists/*_Release
          - echo '0 string BBB board of the lab' >/etc/magic
          # Somebody else is at apt and at dpkg, and gives each back only after it was asked for.
          - |
            cat >/tmp/hold.py <<'END'
            import fcntl, pathlib, time

            def hold(path):
                file = open(path, "w")
                fcntl.lockf(file, fcntl.LOCK_EX)
                return file

            def until_runs(text):
                while True:
                    for command in pathlib.Path("/proc").glob("[1-9]*/cmdline"):
                        try:
                            if text in command.read_bytes():
                                return time.sleep(2)
                        except OSError:
                            pass
                    time.sleep(0.1)

            lists, dpkg = hold("/var/lib/apt/lists/lock"), hold("/var/lib/dpkg/lock-frontend")
            pathlib.Path("/tmp/held").touch()
            until_runs(b"lava-install-packages\0file")
            lists.close()
            until_runs(b"apt-get\0install")
            END
          - setsid python3 /tmp/hold.py </dev/null >/dev/null 2>&1 &
          - timeout 60 sh -c 'until test -e /tmp/held; do sleep 0.1; done'
    - from: inline
      name: overcome
      path: inline/overcome.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: overcome}
        # The configuration file of its library is there already, and is neither asked about nor overwritten.
        install: {deps: [file]}
        run:
          steps:
          - echo BBB >board
          - lava-test-case file --shell 'file board | grep "board of the lab"'
    - from: inline
      name: misspelt
      path: inline/misspelt.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: misspelt}
        install: {deps: [jq, tree, no-such-package]}
        run:
          steps: [lava-test-case never --result pass]
    - from: inline
      name: next
      path: inline/next.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: next}
        run:
          steps: ["lava-test-case nothing-by-halves --shell '! command -v tree'"]
"#;

#[test]
fn missing_packages_are_installed_once_offline_and_in_turn_and_one_that_does_not_exist_is_named() {
    let home = Home::new(Artifacts::Linux);
    let ended = home.run("run", JOB).wait();
    assert_eq!(ended.code, Some(1), "a package that does not exist is the test's fault: {ended:?}");
    let failed = "5_misspelt fail the install steps ended with exit code 100; lava-install-packages: apt-get ended \
                  with exit code 100; not installed: tree no-such-package";
    let together = ["1_meet pass", "2_tools pass"];
    let alone = ["3_obstacles pass", "4_overcome pass", failed, "6_next pass"];
    let used = ["new pass", "jq pass", "pager pass", "installations pass 1.0"];
    for node in nodes(&ended) {
        let (definitions, tests) = (definitions(node), tests(node));
        if node["role"] == "guest" {
            // Each node counts its own.
            let own = ["0_meet pass", "1_tools pass"];
            assert_eq!((definitions, tests), (strings(&own), strings(&used)), "{ended:?}");
        } else {
            let expected = [&["0_address pass"][..], &together, &alone].concat();
            assert_eq!(definitions, expected, "{ended:?}");
            let expected = [&used[..], &["file pass", "nothing-by-halves pass"]].concat();
            assert_eq!(tests, expected, "{ended:?}");
        }
    }
    assert_eq!(nodes(&ended).len(), 4, "{ended:?}");
    home.assert_nothing_left();
}

fn strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
