//! The virtual board of an ordinary user: its network lies in a user namespace.

use rustix::process::Signal;
use testbench::harness::Tun;

use crate::SOON;
use crate::jobs;
use crate::lab::{Artifacts, Ended, Home};

#[test]
fn an_ordinary_user_boots_linux_and_leaves_nothing_behind() {
    let home = Home::of_ordinary_user(Artifacts::Linux, Tun::Usable, |user| user);
    let mut run = home.run("run", &jobs::on_linux("[lava-test-case here --result pass]"));
    run.wait_for_board();
    assert_is_ordinary(run.pid());
    let during = home.traces();
    assert_eq!(during.namespaces.len(), 1, "the board has a network namespace of its own: {during:?}");
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.tests(), ["here pass"]);
    assert_eq!(
        ended.phases(),
        ["prepare pass", "deploy-tftp pass", "boot-u-boot pass", "test-0 pass", "power-off pass"]
    );
    assert_eq!(ended.stderr, "");
    home.assert_nothing_left();
}

#[test]
fn a_killed_runner_of_an_ordinary_user_takes_its_board_along() {
    let home = Home::of_ordinary_user(Artifacts::NoKernel, Tun::Usable, |user| user);
    let mut run = home.run("killed", &jobs::in_uboot("['sleep 600']"));
    run.wait_for_board();
    let ended = run.end_by(Signal::KILL);
    assert_eq!(ended.code, None);
    home.assert_no_process_left();

    let mut run = home.run("stopped", &jobs::in_uboot("['sleep 600']"));
    run.wait_for_event("board `vb1` is switched on");
    let ended = run.end_by(Signal::INT);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.took < SOON, "{ended:?}");
    home.assert_nothing_left();
}

#[test]
fn forbidden_user_namespaces_are_told_with_the_setting_that_permits_them() {
    let home =
        Home::of_ordinary_user(Artifacts::NoKernel, Tun::Usable, |user| user.without_user_namespaces());
    let ended = home.run("run", &jobs::in_uboot("['echo no boot']")).wait();
    assert_no_network(&ended, "the system refuses a network namespace: unshare: ");
    assert!(ended.fault("message").ends_with("No space left on device"), "{ended:?}");
    let help = ended.fault("help");
    assert!(help.contains("`sudo sysctl -w user.max_user_namespaces=10000`"), "{ended:?}");
    assert!(help.contains("/etc/sysctl.d"), "{ended:?}");
    home.assert_nothing_left();
}

#[test]
fn an_absent_tun_device_is_told_with_what_makes_it() {
    let home = Home::of_ordinary_user(Artifacts::NoKernel, Tun::Absent, |user| user);
    let ended = home.run("run", &jobs::in_uboot("['echo no boot']")).wait();
    assert_no_network(&ended, "/dev/net/tun cannot be opened: No such file or directory");
    assert!(ended.fault("help").contains("`sudo modprobe tun`"), "{ended:?}");
    home.assert_nothing_left();
}

#[test]
fn a_tun_device_of_roots_alone_is_told_with_what_opens_it() {
    let home = Home::of_ordinary_user(Artifacts::NoKernel, Tun::Forbidden, |user| user);
    let ended = home.run("run", &jobs::in_uboot("['echo no boot']")).wait();
    assert_no_network(&ended, "/dev/net/tun cannot be opened: Permission denied");
    assert!(ended.fault("help").contains("`sudo chmod 0666 /dev/net/tun`"), "{ended:?}");
    home.assert_nothing_left();
}

/// The run ended before anything was done, for want of a network.
#[track_caller]
fn assert_no_network(ended: &Ended, message: &str) {
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!((ended.fault("class"), ended.fault("where")), ("infrastructure", "virtual network"));
    assert!(ended.fault("message").starts_with(message), "{ended:?}");
    assert!(ended.phases().is_empty(), "{ended:?}");
}

/// The process is not root's and has no capability.
#[track_caller]
fn assert_is_ordinary(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert!(value("Uid:").split_whitespace().all(|id| id != "0"), "{status}");
    assert_eq!(value("CapEff:").trim_start_matches('0'), "", "{status}");
    assert_eq!(value("CapPrm:").trim_start_matches('0'), "", "{status}");
}
