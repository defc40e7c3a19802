//! A board that stays in its RAM disk: BusyBox' shell on a real kernel's console.

use std::fs;
use std::path::PathBuf;

use testbench::harness::tar_of;

use crate::lab::{Artifacts, Home, lab};

/// The first program of the RAM disk. Its shell has no controlling terminal, as that of a rescue system.
const INIT: &str = "\
#!/bin/busybox sh
export PATH=/bin HOME=/root PS1='root@debian:~# '
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec sh -i </dev/console >/dev/console 2>&1
";

/// Types of files in modes (inode(7)).
const REGULAR: u32 = 0o100_000;

#[test]
fn a_job_on_a_ram_disk_finds_its_agent_and_its_tests_in_it() {
    // A U-Boot that starts nothing without its header.
    let home = Home::new(Artifacts::Linux)
        .with_lines("[boards.vb1.uboot]\nimages = ['uimage']\nramdisk_header = true\n");
    let ramdisk = ramdisk(&home, INIT);
    let files = home.path().display();
    fs::write(
        home.path().join("modules.tar"),
        tar_of(&[("lib/modules/6.1/extra/answer.txt", 0o644, "42\n")]),
    )
    .unwrap();
    fs::write(home.path().join("issue"), "on a bench\n").unwrap();
    let job = format!(
        "job_name: stays in its RAM disk
device_type: qemu-virt-arm
timeouts: {{job: {{minutes: 8}}, action: {{minutes: 6}}}}
actions:
- deploy:
    to: tftp
    os: oe
    kernel: {{url: 'https://lab.example.org/bbb/zImage', type: zimage}}
    ramdisk:
      url: 'file://{}'
      overlays: {{issue: {{url: 'file://{files}/issue', format: file, path: /etc/issue}}}}
    modules: {{url: 'file://{files}/modules.tar'}}
- boot:
    method: u-boot
    commands: ramdisk
    prompts: ['root@debian:']
- test:
    definitions:
    - from: inline
      name: ramdisk
      path: inline/ramdisk.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: ramdisk, description: On a RAM disk}}
        run:
          steps:
          - lava-test-case root-is-in-memory --shell 'grep \"^rootfs / rootfs\" /proc/mounts'
          - lava-test-case arm --shell 'test $(uname -m) = armv7l'
          - lava-test-case modules --shell 'grep 42 /lib/modules/6.1/extra/answer.txt'
          - lava-test-case overlay --shell 'grep bench /etc/issue'
",
        ramdisk.display(),
    );
    let ended = home.run("run", &job).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}", ended.output());
    assert_eq!(ended.tests(), ["root-is-in-memory pass", "arm pass", "modules pass", "overlay pass"]);
    let events = fs::read_to_string(home.path().join("run/run.jsonl")).unwrap();
    assert!(events.contains("the kernel has got U-Boot's header"), "{events}");
    for told in ["agent and tests are in the RAM disk", "is up, put into the RAM disk by this run"] {
        assert!(events.contains(told), "{told}: {events}");
    }
    let console = fs::read_to_string(home.path().join("run/console/board.log")).unwrap();
    for printed in ["Booting kernel from Legacy Image", "Loading init Ramdisk from Legacy Image"] {
        assert!(console.contains(printed), "{printed}: {console}");
    }
    home.assert_nothing_left();
}

/// A RAM disk with this first program.
fn ramdisk(home: &Home, init: &str) -> PathBuf {
    let path = home.path().join("ramdisk.img");
    let mut image = fs::read(lab().join("initrd.img")).unwrap();
    // The kernel unpacks one archive after the other; later files replace earlier ones.
    image.resize(image.len().next_multiple_of(4), 0);
    image.extend(archive(&[("init", REGULAR | 0o755, init), ("TRAILER!!!", 0, "")]));
    fs::write(&path, image).unwrap();
    path
}

/// What a board needs to fetch something, and what is left of a RAM disk by a system that goes on from another root.
const NETWORK: &str = "\
while read -r module; do insmod /modules/$module; done </modules/order
rm -rf /lava-*
mkdir -p /tmp
ifconfig eth0 10.77.0.2 netmask 255.255.255.0 up
exec sh -i";

#[test]
fn a_board_fetches_its_tests_with_the_jobs_commands_or_else_gets_them_over_the_console() {
    let home = Home::new(Artifacts::Linux);
    let ramdisk = ramdisk(&home, &INIT.replace("exec sh -i", NETWORK));
    let job = |download: &str| {
        format!(
            "job_name: fetches its tests
device_type: qemu-virt-arm
timeouts: {{job: {{minutes: 8}}, action: {{minutes: 6}}}}
actions:
- deploy:
    to: tftp
    os: oe
    kernel: {{url: 'https://lab.example.org/bbb/zImage', type: zimage}}
    ramdisk: {{url: 'file://{}'}}
- boot:
    method: u-boot
    commands: ramdisk
    prompts: ['root@debian:']
    transfer_overlay: {{download_command: '{download}', unpack_command: tar -C / -xzf}}
- test:
    definitions:
    - from: inline
      name: fetched
      path: inline/fetched.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: fetched}}
        run: {{steps: ['lava-test-case there --result pass']}}
",
            ramdisk.display()
        )
    };
    for (download, told) in [
        ("wget -q", &["agent and its files from http://10.77.0.1:"][..]),
        (
            "false",
            &[
                "the board has not fetched the tests (its commands have failed: see the console)",
                "the system that runs is not in the RAM disk with the tests",
                "agent uploaded to /lava-",
            ],
        ),
    ] {
        let name = download.split(' ').next().unwrap();
        let ended = home.run(name, &job(download)).wait();
        assert_eq!(ended.code, Some(0), "{ended:?}\n{}", ended.output());
        assert_eq!(ended.tests(), ["there pass"]);
        let events = fs::read_to_string(home.path().join(format!("{name}/run.jsonl"))).unwrap();
        assert!(told.iter().all(|told| events.contains(told)), "{events}");
    }
    home.assert_nothing_left();
}

/// An archive in the format `newc` (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
fn archive(files: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (inode, (name, mode, content)) in files.iter().enumerate() {
        let fields = [inode, *mode as usize, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        archive.extend(b"070701");
        archive.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        for part in [format!("{name}\0"), (*content).to_owned()] {
            archive.extend(part.into_bytes());
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
    }
    archive
}
