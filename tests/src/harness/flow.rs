//! The flow that the project exists for: one board and three SSH guests in a MultiNode group, on a fake board.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::address::Addresses;
use super::artifacts;
use super::finished::Finished;
use super::testbench::Testbench;

/// The job; its address is announced from the only network device that every PC has.
const JOB: &str = include_str!("../../fixtures/jobs/seed.yaml");

/// What stands for the test definitions that the job takes from git.
const SMOKE_TESTS: &str = "\
metadata: {name: smoke-tests-basic, format: Lava-Test Test Definition 1.0}
run:
  steps:
    - lava-test-case linux-posix-pwd --shell pwd
    - lava-test-case linux-posix-uname --shell uname -a
    - lava-test-case linux-posix-cpu --shell cat /proc/cpuinfo
    - lava-test-case linux-posix-mounts --shell cat /proc/mounts
    - lava-test-case linux-posix-absent --result skip
    - lava-test-case memory-total --result pass --measurement \"$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)\" --units KiB
";

/// Programs of the board that this PC need not have. Every package is there.
const BOARD_PROGRAMS: [(&str, &str); 3] =
    [("ntpdate-debian", "exit 0"), ("dpkg-query", "echo installed"), ("apt-get", "exit 100")];

/// Where the job's URLs lead.
const MIRRORS: [(&str, &str); 4] = [
    ("https://images.validation.linaro.org/functional-test-images/bbb/zImage", "artifacts/zImage"),
    (
        "https://images.validation.linaro.org/functional-test-images/bbb/am335x-bone.dtb",
        "artifacts/board.dtb",
    ),
    ("https://images.validation.linaro.org/debian-jessie-rootfs.tar.gz", "artifacts/rootfs.tar.gz"),
    ("git://git.linaro.org/qa/test-definitions.git", "test-definitions"),
];

/// Size of the kernel in bytes: that of a BeagleBone's.
const KERNEL_SIZE: usize = 4 << 20;

/// OpenSSH's server.
const SSHD: &str = "/usr/sbin/sshd";

/// A bench on which the four-node job of the fixtures runs, with OpenSSH's own server for the guests.
#[derive(Debug)]
pub struct Flow {
    bench: Testbench,
}

impl Flow {
    /// Makes the bench.
    ///
    /// # Panics
    /// As [`Testbench::new`]; when `git` or `gzip` do not run, or OpenSSH's server is not there.
    #[expect(clippy::new_without_default, reason = "it starts programs, as Testbench::new does")]
    pub fn new() -> Self {
        assert!(Path::new(SSHD).exists(), "there is no {SSHD}: install openssh-server");
        let bench = Testbench::new();
        let mut kernel = artifacts::zimage();
        kernel.resize(KERNEL_SIZE, 0);
        bench.artifact("zImage", &kernel);
        run(Command::new("gzip").arg(bench.path().join("artifacts/rootfs.tar")));
        make_repository(&bench.path().join("test-definitions"));
        let search =
            format!("{}:{}", make_programs(&bench).display(), std::env::var("PATH").unwrap_or_default());
        let port = ssh_port(bench.addresses()).to_string();
        let bench = bench
            .board_option(&["--sshd-port", &port])
            .board_line(&format!("ssh_port = {port}"))
            .environment("PATH", &search);
        let bench = MIRRORS.iter().fold(bench, |bench, (from, to)| bench.mirror(from, to));
        // The board announces the address of its network device, and this PC's loopback device has but one.
        let board = bench.addresses().board.to_string();
        let text = bench.to_toml().replace(&board, &Ipv4Addr::LOCALHOST.to_string());
        let bench = bench.bench_text(&text.replace("[\"fake-board\"]", "[\"beaglebone-black\"]"));
        bench.write("bench.toml", bench.to_toml());
        bench.write("job.yaml", Self::job());
        Self { bench }
    }

    /// The job: byte for byte that of the fixtures, but for the name of the network device.
    pub fn job() -> String {
        JOB.replace("eth0", "lo")
    }

    /// The command that runs the job, with its results in `out`, relative to the bench's directory.
    pub fn command(&self, out: &str) -> Command {
        self.bench.host_runner(&["run", "job.yaml", "--out", out])
    }

    /// The bench's directory.
    pub fn path(&self) -> &Path {
        self.bench.path()
    }

    /// Runs the job to its end.
    pub fn run(&self) -> Finished {
        self.bench.start_text(&Self::job()).finish()
    }

    /// As [`Testbench::differing_files_of_a_replay`].
    ///
    /// # Panics
    /// As that.
    pub fn differing_files_of_a_replay(&self) -> Vec<PathBuf> {
        self.bench.differing_files_of_a_replay()
    }
}

/// A port of 127.0.0.1 that belongs to the bench as its network does: below those that the system gives out.
fn ssh_port(addresses: &Addresses) -> u16 {
    let [_, x, y, _] = addresses.server.octets();
    7168 + u16::from(x - 100) * 256 + u16::from(y)
}

fn make_programs(bench: &Testbench) -> PathBuf {
    let directory = bench.path().join("bin");
    fs::create_dir(&directory).expect("an own directory");
    for (name, command) in BOARD_PROGRAMS {
        let program = bench.write(&format!("bin/{name}"), format!("#!/bin/sh\n{command}\n"));
        fs::set_permissions(program, Permissions::from_mode(0o755)).expect("an own file");
    }
    directory
}

fn make_repository(directory: &Path) {
    fs::create_dir_all(directory.join("ubuntu")).expect("an own directory");
    fs::write(directory.join("ubuntu/smoke-tests-basic.yaml"), SMOKE_TESTS).expect("an own directory");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.org"];
        let mut command = Command::new("git");
        command.current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        run(command.args(identity).args(arguments));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message=Test definitions"]);
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
