//! The NFS server killed and started again under a board that boots and then installs packages; and its port mapper, asked
//! by Debian's own tools.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use regex::Regex;
use serde_json::{Value, json};
use testbench::harness::host_runner;

use crate::jobs;
use crate::lab::{Artifacts, Home, Run};

/// Where the root filesystem is served again; the run itself has the port that belongs to NFS.
const ADDRESS: &str = "10.77.0.1:2050";
/// What the console shows of a boot in turn, without colours within: with each, the server is killed.
const MILESTONES: [&str; 5] = [
    "initrd: root file system",
    "Detected architecture arm",
    "Queued start job for default target",
    "sysinit.target",
    "ssh.service",
];
/// Bytes by which a layer's log grows while packages are installed until the server is killed.
const GROWTH: u64 = 10 << 10;
/// How often it must be killed then, and how often it is at most.
const KILLS: std::ops::RangeInclusive<usize> = 5..=9;

/// A job that leaves a root filesystem that nobody has touched.
const UNTOUCHED: &str = "
job_name: leaves a root filesystem
device_type: qemu-virt-arm
timeouts: {job: {minutes: 5}, action: {minutes: 3}}
actions:
- deploy:
    to: tftp
    os: debian
    kernel: {url: 'https://lab.example.org/bbb/zImage', type: zimage}
    nfsrootfs: {url: 'https://lab.example.org/debian-armhf-rootfs.tar.gz', compression: gz}
- boot:
    method: u-boot
    commands: ['bootz 0']
    prompts: ['root@debian:']
";

/// A job that boots from `export` and installs packages, and looks at them.
fn installing(export: &str) -> String {
    let bootargs = format!(
        "console=ttyAMA0 root=/dev/nfs rw nfsroot={{SERVER_IP}}:{export},vers=3,tcp,nolock,port=2050,mountport=2050,\
         rsize=262144,wsize=262144 ip={{BOARD_IP}}:{{SERVER_IP}}::255.255.255.0:debian:eth0:off"
    );
    let commands = [
        "setenv autoload no",
        "setenv ipaddr {BOARD_IP}",
        "setenv netmask 255.255.255.0",
        "setenv serverip {SERVER_IP}",
        "tftp {KERNEL_ADDR} {KERNEL}",
        "tftp {RAMDISK_ADDR} {RAMDISK}",
        "setenv initrd_size ${filesize}",
        &format!("setenv bootargs '{bootargs}'"),
        "{BOOTX}",
    ];
    // The image has no documentation and no translations of what it came with; everything else must be there.
    let verify = "dpkg --verify jq libjq1 libonig5 less tree file libmagic1 libmagic-mgc";
    let login = json!({
        "login_prompt": "login:",
        "username": "root",
        "login_commands": [
            "apt-get install --yes jq less tree file; echo \"installed=$?\"",
            format!("echo \"damaged=$({verify} | grep -vc '^missing  *[^c].*/usr/share/')\""),
            "echo \"audit=$(dpkg --audit | wc -l)\"",
            "echo \"answer=$(echo '[41, 1]' | jq add)\"",
        ],
    });
    json!({
        "job_name": "installs packages",
        "device_type": "qemu-virt-arm",
        "timeouts": {"job": {"minutes": 6}, "action": {"minutes": 5}},
        "actions": [
            {"deploy": {
                "to": "tftp",
                "os": "debian",
                "kernel": {"url": "https://lab.example.org/bbb/zImage", "type": "zimage"},
            }},
            {"boot": {
                "method": "u-boot",
                "commands": commands,
                "prompts": ["root@debian:"],
                "auto_login": login,
            }},
        ],
    })
    .to_string()
}

#[test]
fn a_board_boots_and_installs_packages_while_its_server_is_killed_again_and_again() {
    let home = Home::new(Artifacts::Linux);
    let ended = home.run_with("kept", UNTOUCHED, &["--keep-rootfs"]).wait();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let kept = home.path().join("kept");
    let origin = fs::read(kept.join("rootfs/board/origin.json")).unwrap();
    let origin: Value = serde_json::from_slice(&origin).unwrap();

    let mut run = home.run("run", &installing(origin["export"].as_str().unwrap()));
    let network = network_of(&home, &mut run);
    let log = kept.join("rootfs/board/layer/log");
    let mut kills = 0;
    let mut server = Server::start(&network, &kept);
    for milestone in MILESTONES {
        run.wait_for_console(milestone);
        drop(server);
        server = Server::start(&network, &kept);
    }
    run.wait_for_console("debian login:");
    let mut before = size(&log);
    while run.is_going_on() {
        if size(&log).abs_diff(before) > GROWTH && kills < *KILLS.end() {
            drop(server);
            kills += 1;
            server = Server::start(&network, &kept);
            before = size(&log);
        }
    }
    let ended = run.wait();
    let console = fs::read_to_string(home.path().join("run/console/board.log")).unwrap();
    assert_eq!(ended.code, Some(0), "{kills} kills: {ended:?}\n{console}");
    assert!(KILLS.contains(&kills), "{kills} kills");
    for expected in ["installed=0", "damaged=0", "audit=0", "answer=42"] {
        assert!(
            console.lines().any(|line| line.ends_with(expected)),
            "{expected}, {kills} kills:\n{console}"
        );
    }
    drop(server);
    let told = fs::read_to_string(kept.join("serve.err")).unwrap();
    assert!(told.lines().all(|line| line.starts_with("repaired: cut ")), "{told}");
    let found = Command::new(host_runner()).args(["rootfs", "ls"]).arg(&kept).arg("/usr/bin/jq").output();
    let found = found.unwrap();
    assert!(found.status.success(), "{found:?}");
    home.assert_nothing_left();
}

#[test]
fn the_tools_of_debian_find_nfs_by_the_port_mapper() {
    let home = Home::new(Artifacts::NoKernel);
    let mut run = home.run("run", &jobs::in_uboot("['sleep 600']"));
    let network = network_of(&home, &mut run);
    let ask = |arguments: &[&str]| -> Output { network.command().args(arguments).output().unwrap() };
    let ports = ask(&["rpcinfo", "-p", "10.77.0.1"]);
    let text = String::from_utf8_lossy(&ports.stdout);
    for program in ["100003 +3 +tcp +2049 +nfs", "100005 +3 +tcp +2049 +mountd"] {
        assert!(Regex::new(program).unwrap().is_match(&text), "{program}: {ports:?}");
    }
    // By UDP, and then the program itself.
    let nfs = ask(&["rpcinfo", "-n", "111", "-u", "10.77.0.1", "100000", "2"]);
    assert!(String::from_utf8_lossy(&nfs.stdout).contains("program 100000 version 2 ready"), "{nfs:?}");
    let nfs = ask(&["rpcinfo", "-t", "10.77.0.1", "100003", "3"]);
    assert!(String::from_utf8_lossy(&nfs.stdout).contains("program 100003 version 3 ready"), "{nfs:?}");
    // By versions 3 and 4, which tell addresses; without a version, that of NFS is found out.
    let listed = ask(&["rpcinfo", "10.77.0.1"]);
    let text = String::from_utf8_lossy(&listed.stdout);
    let nfs = Regex::new(r"100003 +3 +tcp +10\.77\.0\.1\.8\.1 +nfs +superuser").unwrap();
    assert!(nfs.is_match(&text), "{listed:?}");
    let summary = ask(&["rpcinfo", "-s", "10.77.0.1"]);
    let text = String::from_utf8_lossy(&summary.stdout);
    let mapper = Regex::new("100000 +2,3,4 +udp,tcp +portmapper +superuser").unwrap();
    assert!(mapper.is_match(&text), "{summary:?}");
    let nfs = ask(&["rpcinfo", "-T", "tcp", "10.77.0.1", "100003"]);
    assert!(String::from_utf8_lossy(&nfs.stdout).contains("program 100003 version 3 ready"), "{nfs:?}");
    let mapper = ask(&["rpcinfo", "-T", "udp", "10.77.0.1", "100000", "4"]);
    assert!(String::from_utf8_lossy(&mapper.stdout).contains("program 100000 version 4 ready"), "{mapper:?}");
    let addresses = ask(&["rpcinfo", "-l", "10.77.0.1", "100003", "3"]);
    assert!(String::from_utf8_lossy(&addresses.stdout).contains("10.77.0.1.8.1"), "{addresses:?}");
    let exports = ask(&["showmount", "--exports", "10.77.0.1"]);
    assert!(
        String::from_utf8_lossy(&exports.stdout).starts_with("Export list for 10.77.0.1:"),
        "{exports:?}"
    );
    let ended = run.end_by(rustix::process::Signal::INT);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    home.assert_nothing_left();
}

/// The network of a run's virtual boards.
struct Network {
    /// The process that holds it.
    process: String,
}

/// Waits until the run says where its network is.
fn network_of(home: &Home, run: &mut Run<'_>) -> Network {
    run.wait_for_event("\"phase\":\"boot-u-boot\"");
    let events = fs::read_to_string(home.path().join("run/run.jsonl")).unwrap();
    let process = Regex::new("nsenter --target ([0-9]+) --net").unwrap();
    Network { process: process.captures(&events).unwrap()[1].to_owned() }
}

impl Network {
    /// A command whose arguments are a program and its arguments, in this network.
    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.process, "--net"]);
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
    }
}

/// A server of a kept root filesystem; killed with SIGKILL when it is dropped.
struct Server(Child);

impl Server {
    /// Starts it, and waits until it serves.
    fn start(network: &Network, kept: &Path) -> Self {
        let told: PathBuf = kept.join("serve.err");
        let told: File = OpenOptions::new().create(true).append(true).open(told).unwrap();
        let mut command = network.command();
        command.arg(host_runner()).args(["rootfs", "serve"]).arg(kept).args(["--listen", ADDRESS]);
        let mut server = Self(command.stdout(Stdio::piped()).stderr(told).spawn().unwrap());
        let mut line = String::new();
        let stdout = server.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert!(line.starts_with("serving "), "{line:?}");
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Bytes of a file.
fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}
