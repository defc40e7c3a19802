//! What an ordinary user meets who lacks a permission: an error at the start that says what to do, and nothing done.
//!
//! Tests of root's become another user for it; those of an ordinary user need user namespaces and port 69.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod desk;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use testbench::fake_board::PtyPair;
use testbench::harness::{Addresses, OrdinaryUser, user_name};

use crate::desk::Desk;

fn user() -> Option<OrdinaryUser> {
    Some(OrdinaryUser::new())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn without_permission_for_low_ports_both_ways_to_it_are_told() {
    let desk = Desk::new(Some(OrdinaryUser::new().with_network()));
    let program = desk.path().join("target/debug/host-runner");
    let said = [
        "infrastructure error",
        "TFTP server",
        "cannot bind 127.0.0.1:69: Permission denied",
        &format!("there is no port service at {}", desk.path().join("ports.socket").display()),
        &format!("`sudo setcap cap_net_bind_service=+ep {}`", program.display()),
        "`sudo sysctl -w net.ipv4.ip_unprivileged_port_start=69`",
    ];
    let ended = desk.run(&[]);
    ended.assert(3, &said);
    assert!(!ended.text.contains("boot-u-boot"), "{}", ended.text);
}

#[test]
fn results_that_cannot_be_written_are_told_before_anything_is_done() {
    let desk = Desk::new(user());
    desk.prepare();
    let closed = desk.path().join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o555);
    let ended = desk.run_as_it_is(&["--out", "closed/out"]);
    ended.assert(3, &["infrastructure error: closed/out", "Permission denied", "--out DIR"]);
    assert!(!desk.path().join("cache").exists());
}

#[test]
fn a_cache_that_another_user_has_made_is_told_with_what_to_do() {
    let desk = Desk::new(Some(OrdinaryUser::new().with_low_ports()));
    let addresses = Addresses::claim();
    let desk = desk.at(addresses.server);
    desk.prepare();
    // As root's umask leaves them after a run with sudo.
    for name in ["blobs", "records", "git", "locks", "tmp", "scratch"] {
        fs::create_dir_all(desk.path().join("cache").join(name)).unwrap();
        set_mode(&desk.path().join("cache").join(name), 0o555);
    }
    let cache = desk.path().join("cache").display().to_string();
    let said = [
        "infrastructure error",
        &format!("cannot use {cache}/blobs in the cache: Permission denied"),
        "`[cache] directory`",
        &format!("`sudo chown -R \"$USER\" {cache}`"),
    ];
    let ended = desk.run_as_it_is(&[]);
    ended.assert(3, &said);
    assert!(!ended.text.contains("boot-u-boot"), "{}", ended.text);
}

#[test]
fn a_serial_port_of_another_group_is_told_before_anything_is_done() {
    let desk = Desk::new(user());
    let port = desk.path().join("ttyBOARD");
    let _adapter = PtyPair::linked(&port).unwrap();
    let device = port.canonicalize().unwrap();
    set_mode(&device, 0);
    let desk = desk.serial(&device);
    let said = ["bench error: board `bbb1`", "no permission to open serial port", "often dialout"];
    desk.run(&[]).assert(4, &said);
    assert!(!desk.path().join("out").exists());
}

#[test]
fn two_users_with_benches_of_their_own_cannot_use_one_serial_port() {
    let first = Desk::new(Some(OrdinaryUser::new().with_low_ports()));
    let port = first.path().join("ttyBOARD");
    let _adapter = PtyPair::linked(&port).unwrap();
    let device = port.canonicalize().unwrap();
    OrdinaryUser::new().own(&device);
    let addresses = Addresses::claim();
    let first = first.at(addresses.server).serial(&port);
    let going = first.start();

    let second = Desk::new(None).at(addresses.board).serial(&device);
    let ended = second.run(&[]);
    let holder = format!(
        "device {} is in use by run {} of job `stays in U-Boot` (process {}, user {}, since ",
        device.display(),
        first.path().join("out").display(),
        going.pid(),
        user_name(OrdinaryUser::id())
    );
    ended.assert(3, &["infrastructure error: leases", &holder, "wait for that run to end"]);
    assert!(!second.path().join("out").exists());
}
