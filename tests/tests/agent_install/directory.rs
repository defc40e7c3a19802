//! Directories: mounted cards, unpacked root filesystems.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use testbench::harness::{OrdinaryUser, host_runner};

use crate::fixture::{Ended, Fixture, listing};

#[test]
fn an_agent_lives_in_a_directory_and_leaves_no_trace() {
    let fixture = Fixture::new();
    let before = listing(&fixture.root());
    fixture.assert_life(&["root"]);
    fixture.assert_files(&fixture.root());
    let changed = |path: &str| fs::metadata(fixture.root().join(path)).unwrap().ctime_nsec();
    let parts = ["usr/lib/lava-agent/bin/lava-agent", "usr/lib/lava-agent/manifest.toml", "usr/lib"];
    let times = parts.map(changed);
    fixture.install(&["root"]).assert(0, &["nothing to do"]);
    assert_eq!(parts.map(changed), times, "nothing was written");
    fixture.remove(&["root"]).assert(0, &["is removed"]);
    assert_eq!(listing(&fixture.root()), before);
    fixture.remove(&["root"]).assert(0, &["no agent is installed, nothing to do"]);
}

/// Root's installation is root's, whose the directory may be; another user's is that user's.
#[test]
fn all_that_is_installed_has_one_owner() {
    let owner = if OrdinaryUser::is_another() { 0 } else { OrdinaryUser::id() };
    let fixture = Fixture::new();
    OrdinaryUser::new().own(&fixture.root());
    fixture.install(&["root"]).assert(0, &[]);
    for path in
        ["lib/lava-agent", "lib/lava-agent/bin/lava-agent", "lib/lava-agent/bin/lava-send", "bin/lava-agent"]
    {
        let is = fs::symlink_metadata(fixture.root().join("usr").join(path)).unwrap();
        assert_eq!(is.uid(), owner, "{path}");
    }
}

#[test]
fn damage_is_told_and_put_right() {
    let fixture = Fixture::new();
    fixture.install(&["root"]).assert(0, &[]);
    let bin = fixture.root().join("usr/lib/lava-agent/bin");
    fs::write(bin.join("lava-agent"), "else").unwrap();
    fs::remove_file(bin.join("lava-sync")).unwrap();
    let said = [
        "damaged:",
        "bin/lava-agent is not the file that was installed",
        "bin/lava-sync is no link to the agent",
        "help: install it again",
    ];
    fixture.run(&["status", "root"]).assert(1, &said);
    fixture.install(&["root"]).assert(0, &["is put right"]);
    fixture.assert_whole(&["root"]);
}

/// `SIGXFSZ`, by which the kernel kills who writes a larger file than is permitted.
const FILE_TOO_LARGE: i32 = 25;

/// The installation ends in the middle of the agent, behind the directories and before the links.
#[test]
fn an_installation_that_was_killed_is_told_and_finished_by_the_next() {
    let fixture = Fixture::new();
    let before = listing(&fixture.root());
    let killed = || {
        let install = fixture.command(&["install", "--agents", "agents", "root"]);
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -c 0; ulimit -f 1; exec \"$@\"", "sh"]).arg(install.get_program());
        let ended = limited.args(install.get_args()).current_dir(fixture.path("")).output().unwrap();
        assert_eq!(ended.status.signal(), Some(FILE_TOO_LARGE), "{ended:?}");
        assert_eq!(fixture.status(&["root"])["interrupted"], true);
    };
    killed();
    let said = [
        "an incomplete lava-agent in /usr/lib/lava-agent, its installation was interrupted:",
        "manifest.toml is missing or damaged",
        "/usr/lib/lava-agent/bin/.lava-agent-new-lava-agent is left",
        "help: install it again",
    ];
    fixture.run(&["status", "root"]).assert(1, &said);
    fixture.install(&["root"]).assert(0, &["is put right"]);
    fixture.assert_whole(&["root"]);
    fixture.assert_files(&fixture.root());
    fixture.remove(&["root"]).assert(0, &["is removed"]);
    assert_eq!(listing(&fixture.root()), before);

    // The same while another release takes the place of one.
    fixture.install_earlier(&["root"]).assert(0, &[]);
    killed();
    fixture.run(&["status", "root"]).assert(1, &["its installation was interrupted"]);
    fixture.remove(&["root"]).assert(0, &["is removed"]);
    assert_eq!(listing(&fixture.root()), before);
}

/// Links of the tree lead where they lead on the board, and never out of it.
#[test]
fn links_out_of_the_tree_lead_nowhere() {
    let fixture = Fixture::new();
    let outside = fixture.path("outside");
    fs::create_dir_all(outside.join("lib")).unwrap();
    let root = fixture.root();
    fs::rename(root.join("usr"), root.join("system")).unwrap();
    // On the board this is /system, on this PC it would be another directory.
    symlink("../../../../system", root.join("usr")).unwrap();
    fixture.install(&["root"]).assert(0, &[]);
    assert!(root.join("system/lib/lava-agent/bin/lava-agent").exists());
    fixture.remove(&["root"]).assert(0, &[]);

    fs::remove_file(root.join("usr")).unwrap();
    symlink(&outside, root.join("usr")).unwrap();
    fixture
        .install(&["--arch", "x86_64", "root"])
        .assert(3, &["/usr is there and is not of an installation"]);
    assert_eq!(listing(&outside).len(), 1, "only what was there");

    fs::remove_file(root.join("usr")).unwrap();
    fs::rename(root.join("system"), root.join("usr")).unwrap();
    symlink(outside.join("lib"), root.join("usr/lib/lava-agent")).unwrap();
    fixture.install(&["root"]).assert(3, &["/usr/lib/lava-agent is there and is not of an installation"]);
    fixture.remove(&["root"]).assert(3, &["/usr/lib/lava-agent is there"]);
    assert_eq!(listing(&outside).len(), 1, "only what was there");
}

#[test]
fn without_permission_nothing_is_changed() {
    let fixture = Fixture::new();
    let user = OrdinaryUser::new();
    // Where the user can get at it, whoever owns the directory that it was built in.
    let program = fixture.path("host-runner");
    fs::copy(host_runner(), &program).unwrap();
    user.own(&fixture.root());
    fs::set_permissions(fixture.path(""), Permissions::from_mode(0o755)).unwrap();
    for closed in ["usr/lib", "usr/bin"] {
        let closed = fixture.root().join(closed);
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
        let before = listing(&fixture.root());
        let mut command = user.command(&program);
        command.args(["agent", "install", "--agents", "agents", "root"]).current_dir(fixture.path(""));
        let ended = Ended::new(&command.output().unwrap());
        ended.assert(3, &["infrastructure error: root", "cannot write", "Permission denied", "sudo"]);
        assert_eq!(listing(&fixture.root()), before);
        fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = user.command(&program);
    command.args(["agent", "install", "--agents", "agents", "root"]).current_dir(fixture.path(""));
    Ended::new(&command.output().unwrap()).assert(0, &["is installed"]);
    fixture.assert_files(Path::new(&fixture.root()));
}
