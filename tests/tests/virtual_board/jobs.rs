//! Jobs for the virtual board.

/// A job that never gets past U-Boot: `commands` are typed there, as a YAML list.
pub(crate) fn in_uboot(commands: &str) -> String {
    format!(
        "job_name: stays in U-Boot
device_type: qemu-virt-arm
timeouts: {{job: {{minutes: 5}}, action: {{minutes: 3}}}}
actions:
- deploy:
    to: tftp
    kernel: {{url: 'https://lab.example.org/zImage', type: zimage}}
- boot:
    method: u-boot
    commands: {commands}
    prompts: ['root@debian:']
"
    )
}

/// A job that boots Linux and runs `steps`, a YAML list.
pub(crate) fn on_linux(steps: &str) -> String {
    format!(
        "job_name: boots Linux
device_type: qemu-virt-arm
timeouts: {{job: {{minutes: 8}}, action: {{minutes: 6}}}}
actions:
- deploy:
    to: tftp
    os: debian
    kernel: {{url: 'https://lab.example.org/bbb/zImage', type: zimage}}
    nfsrootfs: {{url: 'https://lab.example.org/debian-armhf-rootfs.tar.gz', compression: gz}}
- boot:
    method: u-boot
    commands: nfs
    prompts: ['root@debian:']
    auto_login: {{login_prompt: 'login:', username: root}}
- test:
    definitions:
    - from: inline
      name: steps
      path: inline/steps.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: steps, description: Steps}}
        run:
          steps: {steps}
"
    )
}
