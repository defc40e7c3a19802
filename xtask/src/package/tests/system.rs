//! Under a running systemd: a Debian that boots in user-mode Linux, whoever the user here is.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::chroot::steps;
use super::installed::Steps;
use crate::workspace::Workspace;

/// What is done in there.
const SCRIPT: &str = include_str!("system.sh");
/// What does it, in there.
const UNIT: &str = include_str!("system.service");

/// The most that it may take, in seconds, from power on to power off.
const PATIENCE: &str = "300";

/// Puts what the guest needs beside the packages.
pub(super) fn put_scripts(files: &Path) {
    fs::write(files.join("system.sh"), SCRIPT).unwrap();
    fs::write(files.join("system.service"), UNIT).unwrap();
}

/// Boots `image`, which stays as it is, and judges what the script has done.
pub(super) fn check(image: &Path) {
    let steps = Steps(steps(&boot(image)).into_iter().collect());
    check_ports(&steps);
    check_pages(&steps);
    check_upgraded(&steps);
    check_removed(&steps);
}

/// The state of the three units.
fn states(socket: &str, ports: &str, serve: &str) -> String {
    format!(
        "host-runner-ports.socket {socket}\nhost-runner-ports.service {ports}\nhost-runner-serve.service {serve}\n"
    )
}

/// The port service is started by who asks, serves its group alone, and may do nothing else.
fn check_ports(steps: &Steps) {
    steps.text("install");
    steps.assert("state", &states("active enabled", "inactive static", "inactive disabled"));
    steps.assert("socket", "root:host-runner 660\n");
    let refused = "UDP 69 may not be bound: ports below 1024 need a privilege; \
                   the port service at /run/host-runner/ports.socket is not for this user";
    assert!(steps.said("stranger").contains(refused), "{}", steps.said("stranger"));
    for step in ["member", "member-again", "member-upgraded"] {
        for (ports, how) in [
            ("UDP 69", "is free, and the port service hands it over"),
            ("UDP and TCP 111", "are free, and the port service hands them over"),
            ("UDP 123", "is free, and the port service hands it over"),
        ] {
            let handed = format!("\"{ports} of 127.0.0.1 {how}\"");
            assert!(steps.said(step).contains(&handed), "{step}: {}", steps.said(step));
        }
    }
    steps.assert("started", "active\n");
    // Of the capabilities, CAP_NET_BIND_SERVICE; a filter of system calls.
    steps.assert("confined", "CapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n");
    let handed = "UDP 127.0.0.1:69, for user 4000 ";
    let journal = steps.text("journal");
    assert_eq!(journal.lines().filter(|line| line.starts_with(handed)).count(), 2, "{journal}");
}

/// The web pages are there once they are wanted, by their own user.
fn check_pages(steps: &Steps) {
    steps.text("serve");
    steps.assert("serve-user", "host-runner\n");
    for step in ["boards", "upgraded-boards"] {
        let answer = steps.text(step);
        assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{step}: {answer}");
        assert!(answer.contains("{\"boards\":[{\"name\":\"bbb1\","), "{step}: {answer}");
    }
}

/// A new version takes over from the old one.
fn check_upgraded(steps: &Steps) {
    steps.text("upgrade");
    steps.assert("upgraded-state", &states("active enabled", "inactive static", "active enabled"));
    steps.text("restarted");
}

/// Nothing runs on, and nothing is left.
fn check_removed(steps: &Steps) {
    let gone = states("inactive ", "inactive ", "inactive ");
    steps.text("remove");
    assert_ne!(steps.code("removed-socket"), 0);
    steps.assert("removed-state", &gone);
    steps.text("purge");
    steps.assert("purged-state", &gone);
    steps.assert("left", "");
    steps.text("none-failed");
}

/// Boots `image` and returns what the script has said.
fn boot(image: &Path) -> String {
    let uml = Workspace::locate().unwrap().target.join("lab/uml");
    let kernel = uml.join("linux.uml");
    assert!(kernel.is_file(), "{} is missing: `cargo xtask lab` fetches it", kernel.display());
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", PATIENCE]).arg(&kernel);
    // For processors that the kernel does not know; its file says more.
    command.env("LD_PRELOAD", uml.join("ptrace.so"));
    command.args(["mem=512M", "con=null", "con0=null,fd:1", "con9=null,fd:2"]);
    command.arg(format!("uml_dir={}", directory.path().display()));
    // What is written goes into the first file.
    command.arg(format!("ubd0={},{}", directory.path().join("written").display(), image.display()));
    command.args(["root=/dev/ubda", "rw", "init=/lib/systemd/systemd", "systemd.wants=system.service"]);
    let output = command.output().unwrap();
    let console = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).replace('\r', "");
    // The kernel's own first words are there as well.
    let begin = said.find("=== ").unwrap_or_else(|| panic!("{}: {said}\n{console}", output.status));
    assert!(output.status.success(), "{}: {said}\n{console}", output.status);
    said[begin..].to_owned()
}
