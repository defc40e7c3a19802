use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;
use crate::agent_install::plan;
use crate::agent_install::program::{Build, Program};
use crate::agent_install::status::{self, Installed};

fn program(version: &str) -> Program {
    let build = Build { version: version.to_owned(), arch: "armv7".to_owned(), protocol: [1, 1] };
    Program { build, binary: version.repeat(1000).into_bytes() }
}

/// A root filesystem without anything but what makes it one.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["usr", "usr/bin", "usr/lib"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    symlink("usr/bin", root.path().join("bin")).unwrap();
    root
}

fn open(root: &tempfile::TempDir) -> Directory {
    Directory::open(root.path()).unwrap()
}

fn install(root: &tempfile::TempDir, version: &str) {
    let mut tree = open(root);
    let changes = plan::install(&mut tree, &program(version)).unwrap();
    tree.apply(&changes).unwrap();
}

fn look(root: &tempfile::TempDir) -> Option<Installed> {
    status::of_tree(&mut open(root)).unwrap()
}

/// Path, and mode, link or content, of all that is in a directory.
fn listing(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (path, is) = (entry.path(), entry.metadata().unwrap());
        let content = if is.is_dir() {
            all.extend(listing(&path));
            String::new()
        } else if is.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            String::from_utf8(fs::read(&path).unwrap()).unwrap()
        };
        all.insert(path, format!("{:o} {content}", is.mode()));
    }
    all
}

fn of(root: &tempfile::TempDir) -> BTreeMap<PathBuf, String> {
    let below = |(path, what): (PathBuf, String)| (path.strip_prefix(root.path()).unwrap().to_owned(), what);
    listing(root.path()).into_iter().map(below).collect()
}

/// Does the first `steps` of what installing `version` consists of, and no more, as if the process were killed then. Returns
/// how many there are.
fn interrupted(root: &tempfile::TempDir, version: &str, steps: usize) -> usize {
    let mut tree = open(root);
    let changes = plan::install(&mut tree, &program(version)).unwrap();
    let mut made = Vec::new();
    for change in changes.iter().take(steps) {
        tree.prepare(change, &mut made).unwrap();
    }
    for change in changes.iter().take(steps.saturating_sub(changes.len())) {
        tree.commit(change).unwrap();
    }
    2 * changes.len()
}

/// Interrupts the installation of 0.2.0 behind each step, in a root filesystem that `before` prepares, and looks with `then`.
fn at_every_step(before: impl Fn() -> tempfile::TempDir, then: impl Fn(&tempfile::TempDir, usize)) {
    let steps = interrupted(&before(), "0.2.0", usize::MAX);
    assert!(steps >= 4);
    for step in 1..steps {
        let root = before();
        interrupted(&root, "0.2.0", step);
        let installed = look(&root).unwrap_or_else(|| panic!("nothing is there after step {step}"));
        assert!(installed.interrupted, "step {step}: {installed:?}");
        assert!(!installed.problems.is_empty(), "step {step}");
        then(&root, step);
    }
}

fn with_earlier() -> tempfile::TempDir {
    let root = root();
    install(&root, "0.1.0");
    root
}

#[test]
fn an_interrupted_installation_is_told_and_made_whole_by_the_next() {
    for version in ["0.2.0", "0.1.0"] {
        let whole = root();
        install(&whole, version);
        for before in [root, with_earlier] {
            at_every_step(before, |root, step| {
                install(root, version);
                assert_eq!(look(root).unwrap().problems, [""; 0], "step {step}");
                assert_eq!(of(root), of(&whole), "step {step}");
            });
        }
    }
}

#[test]
fn an_interrupted_installation_is_removed_without_a_trace() {
    let nothing = of(&root());
    for before in [root, with_earlier] {
        at_every_step(before, |root, step| {
            let mut tree = open(root);
            let changes = plan::remove(&mut tree).unwrap();
            tree.apply(&changes).unwrap();
            assert_eq!(of(root), nothing, "step {step}");
        });
    }
}

#[test]
fn an_interrupted_removal_is_finished_by_the_next() {
    let nothing = of(&root());
    let changes = plan::remove(&mut open(&with_earlier())).unwrap();
    for steps in 1..changes.len() {
        let root = with_earlier();
        let mut tree = open(&root);
        changes.iter().take(steps).try_for_each(|change| tree.commit(change)).unwrap();
        assert!(!look(&root).unwrap().problems.is_empty(), "step {steps}");
        let rest = plan::remove(&mut tree).unwrap();
        tree.apply(&rest).unwrap();
        assert_eq!(of(&root), nothing, "step {steps}");
    }
}

/// What the shell of a board has left, seen in the card.
#[test]
fn what_a_boards_shell_has_left_is_told_and_goes() {
    let root = root();
    let bin = root.path().join("usr/lib/.lava-agent-new/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("lava-agent"), "half of it").unwrap();
    let installed = look(&root).unwrap();
    assert!(installed.interrupted);
    let said =
        "/usr/lib/.lava-agent-new/bin/lava-agent and 2 more are left of an installation that was interrupted";
    assert_eq!(installed.problems, [said]);
    install(&root, "0.1.0");
    assert_eq!(of(&root), of(&with_earlier()));
}
