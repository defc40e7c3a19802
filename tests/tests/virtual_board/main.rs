//! Real runs on the virtual board, ended in every way there is: none leaves anything behind on the machine.
//!
//! They need QEMU, a usable `/dev/net/tun`, network namespaces, and the lab that `cargo xtask lab` prepares; without
//! them they fail and say so.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod debian;
mod doctor;
mod flood;
mod interactive;
mod jobs;
mod lab;
mod nodes;
mod ordinary_user;
mod packages;
mod posix;
mod ramdisk;
mod restart;
mod test_py;
mod traces;
mod two_boards;

use std::time::Duration;

use rustix::process::Signal;
use testbench::harness::user_name;

use crate::lab::{Artifacts, Home};

/// A run that is told to stop cleans up within seconds, also on a loaded machine.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_run_that_passes_leaves_nothing_behind() {
    let home = Home::new(Artifacts::Linux);
    let ended = home.run("run", &jobs::on_linux("[lava-test-case here --result pass]")).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.tests(), ["here pass"]);
    assert_eq!(
        ended.phases(),
        ["prepare pass", "deploy-tftp pass", "boot-u-boot pass", "test-0 pass", "power-off pass"]
    );
    home.assert_nothing_left();
}

#[test]
fn a_run_that_fails_switches_the_board_off_and_leaves_nothing_behind() {
    let home = Home::new(Artifacts::NoKernel);
    let ended = home.run("run", &jobs::in_uboot("['echo no boot']")).wait();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.fault("class"), "infrastructure");
    assert!(ended.fault("where").contains("boot-u-boot"), "{ended:?}");
    assert_eq!(ended.phases().last().map(String::as_str), Some("power-off pass"));
    home.assert_nothing_left();
}

#[test]
fn ctrl_c_during_a_boot_switches_the_board_off_within_seconds() {
    let home = Home::new(Artifacts::NoKernel);
    let mut run = home.run("run", &jobs::in_uboot("['sleep 600']"));
    run.wait_for_event("board `vb1` is switched on");
    let during = home.traces();
    assert_eq!(during.namespaces.len(), 1, "the board has a network namespace of its own: {during:?}");
    let ended = run.end_by(Signal::INT);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.took < SOON, "{ended:?}");
    assert_eq!((ended.fault("class"), ended.fault("message")), ("cancelled", "the run was stopped"));
    assert_eq!(ended.results["outcome"], "cancelled");
    assert_eq!(
        ended.phases(),
        ["prepare pass", "deploy-tftp pass", "boot-u-boot cancelled", "power-off pass"]
    );
    home.assert_nothing_left();
}

#[test]
fn ctrl_c_during_a_test_keeps_the_results_so_far() {
    let home = Home::new(Artifacts::Linux);
    let mut run = home.run("run", &jobs::on_linux("[lava-test-case first --result pass, sleep 600]"));
    run.wait_for_event("\"case\":\"first\"");
    let ended = run.end_by(Signal::INT);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.took < SOON, "{ended:?}");
    assert_eq!(ended.fault("class"), "cancelled");
    assert_eq!(ended.tests(), ["first pass"]);
    assert_eq!(ended.phases().last().map(String::as_str), Some("power-off pass"));
    home.assert_nothing_left();
}

#[test]
fn sigterm_ends_a_run_like_ctrl_c() {
    let home = Home::new(Artifacts::NoKernel);
    let mut run = home.run("run", &jobs::in_uboot("['sleep 600']"));
    run.wait_for_event("\"phase\":\"deploy-tftp\"");
    let ended = run.end_by(Signal::TERM);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    home.assert_nothing_left();
}

#[test]
fn a_killed_runner_takes_its_board_along_and_the_next_run_cleans_up() {
    let home = Home::new(Artifacts::NoKernel);
    let mut run = home.run("killed", &jobs::in_uboot("['sleep 600']"));
    run.wait_for_board();
    let ended = run.end_by(Signal::KILL);
    assert_eq!(ended.code, None);
    home.assert_no_process_left();

    let ended = home.run("next", &jobs::in_uboot("['echo no boot']")).wait();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.fault("where").contains("boot-u-boot"), "it got to the same board: {ended:?}");
    home.assert_nothing_left();
}

#[test]
fn a_second_run_on_the_board_is_refused_at_once_and_told_who_has_it() {
    let home = Home::new(Artifacts::NoKernel);
    let mut first = home.run("first", &jobs::in_uboot("['sleep 600']"));
    first.wait_for_board();
    let second = home.run("second", &jobs::in_uboot("['echo no boot']")).wait();
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(second.took < SOON, "{second:?}");
    let named = format!(
        "board vb1 is in use by run {} of job `stays in U-Boot` (process {}, user {}, since ",
        home.path().join("first").display(),
        first.pid(),
        user_name(rustix::process::getuid().as_raw())
    );
    assert!(second.stderr.contains("infrastructure error: leases"), "{second:?}");
    assert!(second.stderr.contains(&named), "{second:?}");
    assert!(!home.path().join("second").exists(), "a run that is refused has no results");

    let ended = first.end_by(Signal::INT);
    assert_eq!(ended.code, Some(5), "the first one goes on undisturbed: {ended:?}");
    home.assert_nothing_left();
}
