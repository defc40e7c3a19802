//! Installed, upgraded, removed and purged in a clean Debian: in its directory, then booted.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Made;
use super::chroot::{Chroot, Step, steps};
use crate::apt;

/// What is done in there.
const SCRIPT: &str = include_str!("installed.sh");

/// What the package depends on, and what a system boots with.
const DEPENDENCIES: &str = "libgcc-s1,systemd-sysv,udev";

/// The options of the older package.
const OLD_OPTIONS: &str = "SERVE_OPTIONS=\"--listen 127.0.0.1:8081\"\n";

/// How the steps went.
pub(super) struct Steps(pub(super) HashMap<String, Step>);

impl Steps {
    /// What a step has said, which must have ended well.
    #[track_caller]
    pub(super) fn text(&self, name: &str) -> &str {
        assert_eq!(self.code(name), 0, "{name}: {}", self.said(name));
        self.said(name)
    }

    /// What a step has said, which may have failed.
    #[track_caller]
    pub(super) fn said(&self, name: &str) -> &str {
        &self.step(name).text
    }

    #[track_caller]
    pub(super) fn code(&self, name: &str) -> i32 {
        self.step(name).code
    }

    #[track_caller]
    fn step(&self, name: &str) -> &Step {
        self.0.get(name).unwrap_or_else(|| panic!("no step {name}"))
    }

    #[track_caller]
    pub(super) fn assert(&self, name: &str, said: &str) {
        assert_eq!(self.text(name), said, "{name}");
    }
}

#[test]
fn a_package_is_installed_upgraded_removed_and_purged_in_a_clean_debian() {
    let made = Made::deb();
    let files = made.directory.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::copy(&made.file, files.join("new.deb")).unwrap();
    older(&made, &files.join("old.deb"));
    fs::write(files.join("installed.sh"), SCRIPT).unwrap();
    super::system::put_scripts(&files);
    let source = apt::main_suite().unwrap();
    let image = made.directory.path().join("image");
    let chroot =
        Chroot { source: &source, variant: "essential", packages: DEPENDENCIES, image: Some(&image) };
    let said = chroot.run(&files, "sh /files/installed.sh");
    let steps = Steps(steps(&said).into_iter().collect());

    check_installed(&steps);
    check_files(&steps);
    check_upgraded(&steps);
    check_removed(&steps);
    super::system::check(&image);
}

/// Makes a package with another version and other options of `made`.
fn older(made: &Made, file: &Path) {
    let tree = made.directory.path().join("old");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(Command::new("dpkg-deb").arg("--raw-extract").arg(&made.file).arg(&tree));
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    fs::write(&control, text.replace(&version, "Version: 0.0.9\n")).unwrap();
    fs::write(tree.join("etc/default/host-runner-serve"), OLD_OPTIONS).unwrap();
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zgzip", "-z1", "--build"])
        .arg(&tree)
        .arg(file));
}

fn check_installed(steps: &Steps) {
    steps.text("install");
    steps.assert("version", concat!("host-runner ", env!("CARGO_PKG_VERSION"), "\n"));
    let example = "/usr/share/doc/host-runner/examples/bbb-ssh-guest.yaml";
    assert!(steps.text("validate").contains(example), "{}", steps.text("validate"));
    let doctor = steps.said("doctor");
    let agent = "/usr/lib/host-runner/agent/armv7/lava-agent";
    let found = |line: &&str| line.contains("\"check\":\"agent\"") && line.contains("\"status\":\"ok\"");
    let line = doctor.lines().find(found).unwrap_or_else(|| panic!("no agent:\n{doctor}"));
    assert!(line.contains(agent), "{line}");
    for page in ["host-runner.1", "host-runner-run.1", "host-runner-ports.1"] {
        assert!(steps.text("pages").lines().any(|line| line == page), "{page}");
    }
    let user = steps.text("user");
    assert!(user.ends_with(":/var/lib/host-runner:/usr/sbin/nologin\n"), "{user}");
    assert!(steps.text("group").starts_with("host-runner:"));
    steps.assert(
        "state",
        "host-runner:host-runner 755 /var/lib/host-runner\n\
         host-runner:host-runner 2775 /var/lib/host-runner/runs\n\
         root:root 755 /etc/host-runner\n",
    );
    steps.assert("enabled", "/etc/systemd/system/sockets.target.wants/host-runner-ports.socket\n");
    steps.assert("checksums", "");
}

/// Owners, modes and places of what is installed.
fn check_files(steps: &Steps) {
    let modes = steps.text("modes");
    for line in modes.lines() {
        let [owner, mode, rest] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!(owner, "root:root", "{line}");
        let is_program = ["/usr/bin/", "/lava-agent"].iter().any(|part| rest.contains(part));
        let expected = if rest.starts_with("directory ") || is_program { "755" } else { "644" };
        assert_eq!(mode, expected, "{line}");
    }
    for file in [
        "/usr/bin/host-runner",
        "/usr/lib/host-runner/agent/armv7/lava-agent",
        "/usr/lib/host-runner/agent/aarch64/lava-agent",
        "/usr/lib/systemd/system/host-runner-ports.socket",
        "/usr/lib/systemd/system/host-runner-ports.service",
        "/usr/lib/systemd/system/host-runner-serve.service",
        "/usr/lib/sysusers.d/host-runner.conf",
        "/usr/lib/tmpfiles.d/host-runner.conf",
        "/usr/lib/udev/rules.d/70-host-runner.rules",
        "/usr/share/bash-completion/completions/host-runner",
        "/usr/share/zsh/vendor-completions/_host-runner",
        "/usr/share/fish/vendor_completions.d/host-runner.fish",
        "/usr/share/host-runner/boards/beaglebone-black.toml",
        "/usr/share/doc/host-runner/README.md",
        "/usr/share/doc/host-runner/docs/install.md",
        "/usr/share/doc/host-runner/copyright",
        "/usr/share/doc/host-runner/changelog.gz",
        "/usr/share/doc/host-runner/third-party-licences.txt.gz",
    ] {
        assert!(
            modes.lines().any(|line| line.ends_with(&format!("regular file {file}"))),
            "no {file}:\n{modes}"
        );
    }
}

fn check_upgraded(steps: &Steps) {
    steps.text("upgrade");
    steps.assert("upgraded", concat!("host-runner\t", env!("CARGO_PKG_VERSION"), "\n"));
    let new = fs::read_to_string(packaging("debian/host-runner-serve.default")).unwrap();
    steps.assert("upgraded-options", &format!("SERVE_OPTIONS=\"--listen 127.0.0.1:9090\"\n{new}"));
    steps.assert("upgraded-kept", "/etc/host-runner/bench.toml\n/var/lib/host-runner/runs/one\n");
}

fn check_removed(steps: &Steps) {
    steps.text("remove");
    assert_ne!(steps.code("removed-program"), 0);
    steps.assert(
        "removed-kept",
        "/etc/default/host-runner-serve\n/etc/host-runner/bench.toml\n/var/lib/host-runner/runs/one\n",
    );
    steps.text("again");
    steps.assert("again-options", "SERVE_OPTIONS=\"--listen 127.0.0.1:9090\"\n");
    steps.text("purge");
    steps.assert("left", "");
    assert!(steps.text("user-stays").starts_with("host-runner:"));
}

/// A file of the packaging in the repository.
pub(super) fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/packaging").join(name)
}
