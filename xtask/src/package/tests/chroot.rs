//! A clean Debian for a moment, made and thrown away by mmdebstrap: as root, or in a user namespace.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::apt::{self, DPKG_OPTIONS, Source, access_settings};

/// The size of an image, most of which is a hole in the file.
const IMAGE_SIZE: &str = "2G";

/// What was said by a step of a script, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) code: i32,
    pub(super) text: String,
}

/// What is to be in it.
pub(super) struct Chroot<'a> {
    pub(super) source: &'a Source,
    /// `essential`, or `extract` for packages that are unpacked only.
    pub(super) variant: &'a str,
    pub(super) packages: &'a str,
    /// Where an image of its files goes, as they are before the command, for a kernel to boot.
    pub(super) image: Option<&'a Path>,
}

impl Chroot<'_> {
    /// Makes it, with `files` in `/files`, and runs the program `command` in it. Returns what that has printed.
    pub(super) fn run(&self, files: &Path, command: &str) -> String {
        let open = readable_copy(files);
        let said = open.path().join("said");
        let (hook, scratch) = match self.variant {
            "extract" => ("extract-hook", tempfile::tempdir().unwrap()),
            _ => ("customize-hook", tempfile::tempdir().unwrap()),
        };
        let mut make;
        if apt::is_root() {
            // Its /proc and /sys are in a namespace that ends with it.
            make = Command::new("unshare");
            make.args(["--mount", "--propagation=private", "mmdebstrap"]).env("TMPDIR", scratch.path());
        } else {
            make = Command::new("mmdebstrap");
            make.arg("--mode=unshare");
        }
        make.arg(format!("--variant={}", self.variant)).arg(format!("--include={}", self.packages));
        make.arg("--format=null").args(DPKG_OPTIONS.map(|option| format!("--dpkgopt={option}")));
        make.args(access_settings().unwrap().into_iter().map(|setting| format!("--aptopt={setting}")));
        make.arg(format!("--{hook}=copy-in {}/files /", open.path().display()));
        let image = open.path().join("image");
        if self.image.is_some() {
            make.arg(format!("--{hook}={}", image_of_root(&image)));
        }
        make.arg(format!("--{hook}=chroot \"$1\" {command} >{} 2>&1 </dev/null", said.display()));
        make.args([&self.source.suite, "/dev/null", &self.source.line(&[])]).stdin(Stdio::null());
        let output = make.output().expect("mmdebstrap runs (Debian package mmdebstrap)");
        let said = fs::read_to_string(&said).unwrap_or_default();
        assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stderr));
        if let Some(wanted) = self.image {
            fs::rename(&image, wanted).unwrap();
        }
        said
    }
}

/// A hook that makes a file system of what is in `$1`, without what is mounted in there.
fn image_of_root(image: &Path) -> String {
    let (image, size) = (image.display(), IMAGE_SIZE);
    format!(
        "cp \"$1\"/files/*.service \"$1/etc/systemd/system\" && mount --bind \"$1\" \"$1/mnt\" && mke2fs -q -t ext4 -E lazy_itable_init=1 -d \"$1/mnt\" {image} {size} && umount \"$1/mnt\""
    )
}

/// What each step of a script has said: lines `=== NAME`, the output, `=== exit CODE`.
pub(super) fn steps(said: &str) -> Vec<(String, Step)> {
    let mut steps: Vec<(String, Step)> = Vec::new();
    for line in said.lines() {
        match (line.strip_prefix("=== exit "), line.strip_prefix("=== ")) {
            (Some(code), _) => steps.last_mut().unwrap().1.code = code.parse().unwrap(),
            (None, Some(name)) => steps.push((name.to_owned(), Step { code: -1, text: String::new() })),
            (None, None) => {
                let (_, step) = steps.last_mut().unwrap_or_else(|| panic!("before the first step: {said}"));
                step.text.push_str(line);
                step.text.push('\n');
            }
        }
    }
    steps
}

/// Copies files to where the user that mmdebstrap becomes in a namespace may read them, and write what they say.
fn readable_copy(files: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let copied =
        Command::new("cp").arg("--recursive").arg(files).arg(copy.path().join("files")).status().unwrap();
    let opened =
        Command::new("chmod").args(["--recursive", "a+rX"]).arg(copy.path().join("files")).status().unwrap();
    assert!(copied.success() && opened.success());
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o777)).unwrap();
    copy
}

#[test]
fn steps_of_a_script_are_told_apart() {
    let found = steps("=== one\na\n=== exit 0\n=== two\nb\nc\n=== exit 3\n");
    let step = |code, text: &str| Step { code, text: text.to_owned() };
    assert_eq!(found, [("one".to_owned(), step(0, "a\n")), ("two".to_owned(), step(3, "b\nc\n"))]);
}
