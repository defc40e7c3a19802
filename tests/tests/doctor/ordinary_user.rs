//! What only an ordinary user lacks: permissions, low ports, room on a disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use testbench::fake_board::PtyPair;
use testbench::harness::{OrdinaryUser, Testbench, host_runner, target_directory};

use super::Found;

/// Runs `doctor --json` as an ordinary user, whose own the bench's directory is.
fn doctor_as(user: OrdinaryUser, bench: &Testbench) -> Found {
    bench.write("bench.toml", bench.to_toml());
    // Cargo's directory may be where others cannot go.
    let there = bench.path().join("target");
    fs::create_dir(&there).expect("an own directory");
    let user = user.with_directory(&target_directory(), &there);
    user.own(bench.path());
    let program = host_runner().strip_prefix(target_directory()).expect("it is there");
    Found::of_command(&mut user.command(&there.join(program)), bench)
}

/// A bench with nothing that an ordinary user might not get to: its agent is a file of its own, its console a program.
fn of_ordinary_user() -> Testbench {
    let bench = Testbench::new().console("[\"cat\"]");
    fs::remove_file(bench.path().join("agent/x86_64/lava-agent")).expect("an own file");
    bench.write("agent/x86_64/lava-agent", "not empty");
    bench
}

#[test]
fn a_serial_port_without_permission_is_found_with_its_group() {
    let bench = of_ordinary_user();
    let port = bench.path().join("ttyCLOSED");
    let _pair = PtyPair::linked(&port).expect("a pseudo-terminal");
    let device = port.canonicalize().expect("a pseudo-terminal");
    fs::set_permissions(&device, Permissions::from_mode(0o000)).expect("an own pseudo-terminal");
    let text = format!("{:?}", device.display().to_string());
    let found = doctor_as(OrdinaryUser::new().with_low_ports(), &bench.console(&text));
    found.assert_fault(
        "console",
        "bench",
        &["no permission to open", "mode 0000", "udev/70-host-runner.rules"],
    );
}

#[test]
fn a_serial_port_of_dialout_is_found_with_how_to_join_it() {
    if !OrdinaryUser::is_another() {
        assert!(std::env::var_os("CI").is_none(), "CI runs this as root");
        println!("not tested: only root can give a device to the group dialout");
        return;
    }
    let bench = of_ordinary_user();
    let port = bench.path().join("ttyDIALOUT");
    let _pair = PtyPair::linked(&port).expect("a pseudo-terminal");
    let device = port.canonicalize().expect("a pseudo-terminal");
    fs::set_permissions(&device, Permissions::from_mode(0o660)).expect("an own pseudo-terminal");
    let given = Command::new("chgrp").arg("dialout").arg(&device).status().expect("chgrp runs");
    assert!(given.success());
    let text = format!("{:?}", device.display().to_string());
    let found = doctor_as(OrdinaryUser::new().with_low_ports(), &bench.console(&text));
    let said = ["user root and group dialout, mode 0660", "`sudo adduser \\\"$USER\\\" dialout`"];
    found.assert_fault("console", "bench", &said);
}

#[test]
fn low_ports_without_permission_are_found_with_both_ways_to_it() {
    let bench = of_ordinary_user();
    let found = doctor_as(OrdinaryUser::new().with_network(), &bench);
    let checks: Vec<_> = found.bad().iter().map(|(check, status, _)| (*check, *status)).collect();
    let expected = [("tftp-port", "fault"), ("port-mapper", "warning"), ("sntp-port", "warning")];
    assert_eq!((checks.as_slice(), found.code), (&expected[..], Some(3)), "{}", found.all);
    found.assert_says(
        "tftp-port",
        &[
            "ports below 1024 need a privilege",
            "setcap cap_net_bind_service",
            "ip_unprivileged_port_start=69",
        ],
    );
}

#[test]
fn a_full_disk_is_found() {
    let bench = of_ordinary_user();
    let cache = bench.path().join("cache");
    fs::create_dir(&cache).expect("an own directory");
    let found = doctor_as(OrdinaryUser::new().with_low_ports().with_small_disk(&cache), &bench);
    found.assert_fault("disk", "infrastructure", &["cache: 1.0 MB free for ", "host-runner cache prune"]);
}
