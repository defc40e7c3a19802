//! A root filesystem for this PC's processor, agents of two releases, and the program.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testbench::harness::{agent, host_runner};

/// The line that an agent of this release has in it, up to its architecture.
const LINE: &str = concat!("lava-agent ", env!("CARGO_PKG_VERSION"), " x86_64 ");

/// An earlier release; as long as this one's name.
pub(crate) const EARLIER: &str = "0.0.9";

/// A directory with `root`, `agents` and `earlier`.
pub(crate) struct Fixture {
    directory: TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Makes sure that it ended with `code` and said all of `said`.
    pub(crate) fn assert(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in said {
            assert!(self.out.contains(text) || self.err.contains(text), "no {text:?} in {self:#?}");
        }
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let fixture = Self { directory: tempfile::tempdir().unwrap() };
        for (directory, version) in [("agents", env!("CARGO_PKG_VERSION")), ("earlier", EARLIER)] {
            let place = fixture.path(directory).join("x86_64");
            fs::create_dir_all(&place).unwrap();
            let program = replaced(
                &fs::read(agent()).unwrap(),
                LINE,
                &LINE.replace(env!("CARGO_PKG_VERSION"), version),
            );
            fs::write(place.join("lava-agent"), program).unwrap();
            fs::set_permissions(place.join("lava-agent"), Permissions::from_mode(0o755)).unwrap();
        }
        let root = fixture.path("root");
        for directory in ["etc", "root", "tmp", "usr/bin", "usr/lib", "var"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        symlink("usr/bin", root.join("bin")).unwrap();
        fs::write(root.join("usr/bin/busybox"), elf()).unwrap();
        fs::hard_link(root.join("usr/bin/busybox"), root.join("usr/bin/su")).unwrap();
        symlink("/bin/busybox", root.join("usr/bin/sh")).unwrap();
        fs::write(root.join("etc/hostname"), "board\n").unwrap();
        fs::write(root.join("usr/lib/data"), (0..=255).cycle().take(30_000).collect::<Vec<u8>>()).unwrap();
        fs::set_permissions(root.join("usr/bin/su"), Permissions::from_mode(0o4755)).unwrap();
        fixture
    }

    /// A file of the fixture's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// `host-runner agent` with `words`, and nothing of this environment but `PATH`.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(host_runner());
        command.arg("agent").args(words).current_dir(self.directory.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Ended::new(&self.command(words).output().unwrap())
    }

    /// Installs this release in `target`, given with its options.
    pub(crate) fn install(&self, target: &[&str]) -> Ended {
        self.run(&[&["install", "--agents", "agents"], target].concat())
    }

    /// Installs the earlier release in `target`, given with its options.
    pub(crate) fn install_earlier(&self, target: &[&str]) -> Ended {
        self.run(&[&["install", "--agents", "earlier"], target].concat())
    }

    pub(crate) fn remove(&self, target: &[&str]) -> Ended {
        self.run(&[&["remove"], target].concat())
    }

    /// What `status --json` says of `target`, given with its options.
    pub(crate) fn status(&self, target: &[&str]) -> Value {
        let ended = self.run(&[&["status", "--json"], target].concat());
        let status: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:#?}"));
        assert_eq!(ended.code, Some(if status["whole"] == true { 0 } else { 1 }), "{ended:#?}");
        status
    }

    /// Makes sure that this release is in `target` and whole.
    pub(crate) fn assert_whole(&self, target: &[&str]) {
        let status = self.status(target);
        assert_eq!(status["whole"], true, "{status:#}");
        assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(status["agent_arch"], "x86_64");
        assert_eq!(status["problems"], serde_json::json!([]));
    }

    /// Installs, installs again, puts the earlier release in its place and this one back, and looks each time. The last state is
    /// this release, whole.
    pub(crate) fn assert_life(&self, target: &[&str]) {
        assert_eq!(self.status(target)["installed"], false);
        self.install(target).assert(0, &["for x86_64 is installed in /usr/lib/lava-agent"]);
        self.assert_whole(target);
        self.install(target).assert(0, &["is installed already, nothing to do"]);
        self.install_earlier(target).assert(0, &[&format!("lava-agent {EARLIER} for x86_64 has replaced")]);
        assert_eq!(self.status(target)["version"], EARLIER);
        self.install(target).assert(0, &[&format!("has replaced lava-agent {EARLIER} for x86_64")]);
        self.assert_whole(target);
    }

    /// Makes sure that the directory `root` has an installation that a board could use, by looking at its files alone.
    pub(crate) fn assert_files(&self, root: &Path) {
        let base = root.join("usr/lib/lava-agent");
        let program = base.join("bin/lava-agent");
        assert_eq!(fs::read(&program).unwrap(), fs::read(self.path("agents/x86_64/lava-agent")).unwrap());
        let modes = [("", 0o755), ("bin", 0o755), ("bin/lava-agent", 0o755), ("manifest.toml", 0o644)];
        for (path, mode) in modes {
            assert_eq!(fs::metadata(base.join(path)).unwrap().mode() & 0o7777, mode, "{path}");
        }
        let link = fs::read_link(root.join("usr/bin/lava-agent")).unwrap();
        assert_eq!(link, Path::new("/usr/lib/lava-agent/bin/lava-agent"));
        let help = Command::new(&program).arg("--help").output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap();
        let helpers: Vec<&str> = help
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
            .filter(|name| name.starts_with("lava-"))
            .collect();
        assert!(helpers.len() > 30, "{help}");
        for helper in helpers {
            assert_eq!(fs::read_link(base.join("bin").join(helper)).unwrap(), Path::new("lava-agent"));
        }
    }
}

/// Makes a file system of `mib` MiB with the fixture's root in it.
pub(crate) fn make_ext4(fixture: &Fixture, name: &str, mib: u64, options: &[&str]) {
    let mut mke2fs = sbin("mke2fs");
    mke2fs.args(["-q", "-F", "-d"]).arg(fixture.root()).args(options);
    tool(mke2fs.arg(fixture.path(name)).arg(format!("{mib}M")));
}

/// Runs a program that has to succeed, and returns its output.
pub(crate) fn tool(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a program that has to succeed with `input`.
pub(crate) fn piped(command: &mut Command, input: &[u8]) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}");
}

/// Makes a shell script.
pub(crate) fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// A program of e2fsprogs or util-linux, which Debian keeps out of a user's `PATH`.
pub(crate) fn sbin(program: &str) -> Command {
    let path = Path::new("/usr/sbin").join(program);
    Command::new(if path.exists() { path } else { program.into() })
}

/// The first bytes of a program for this PC.
fn elf() -> Vec<u8> {
    let mut elf = vec![0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[18] = 62;
    elf
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect("the agent's line");
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// What is in a directory: path, and mode, link or content.
pub(crate) fn listing(directory: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    list(directory, "", &mut all);
    all
}

fn list(directory: &Path, prefix: &str, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (name, is) = (format!("{prefix}{}", entry.file_name().display()), entry.metadata().unwrap());
        let what = if is.is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else if is.is_dir() {
            list(&entry.path(), &format!("{name}/"), all);
            String::new()
        } else {
            fs::read(entry.path()).unwrap().escape_ascii().to_string()
        };
        all.insert(name, format!("{:o} {what}", is.mode()));
    }
}
