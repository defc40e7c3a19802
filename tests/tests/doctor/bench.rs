//! This PC and the bench file: ports, addresses, programs, the clock.

use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;

use testbench::harness::Testbench;

use super::doctor;

#[test]
fn a_healthy_bench_has_no_fault_and_no_board_of_it_is_touched() {
    let bench = Testbench::new();
    let found = doctor(&bench, &[]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    let (server, board) = (bench.addresses().server, bench.addresses().board);
    assert!(found.ok("network-address").starts_with(&format!("{server}/8 on lo")), "{}", found.all);
    assert_eq!(found.ok("board-address"), board.to_string());
    assert_eq!(found.ok("tftp-port"), format!("UDP 69 of {server} is free"));
    assert_eq!(found.ok("nfs-server"), format!("NFS and MOUNT answer at {server}:2049, called from this PC"));
    for check in ["bench-file", "nfs-port", "port-mapper", "sntp-port", "disk", "agent", "programs"] {
        found.ok(check);
    }
    let shown = bench.start_with(&["doctor"]).finish();
    assert!(
        shown.stdout.contains("all well, by ")
            && shown.stdout.contains("; the board was not tried: `host-runner doctor fake1` does that\n"),
        "{shown}"
    );
    assert!(
        shown.stdout.lines().any(|line| line.starts_with("ok       TFTP port      bench: UDP 69")),
        "{shown}"
    );
    assert!(!shown.stdout.contains('\u{1b}'), "no colours where no terminal is: {shown}");
    assert!(shown.power().is_empty(), "no power is switched");
}

#[test]
fn a_bench_file_with_a_problem_is_a_finding_too() {
    let bench = Testbench::new().board_line("baud = 'fast'");
    let found = doctor(&bench, &[]);
    found.assert_fault("bench-file", "bench", &["baud"]);
}

#[test]
fn a_tftp_port_that_another_program_has_is_found_with_the_program() {
    let bench = Testbench::new();
    let server = bench.addresses().server;
    let _taken = UdpSocket::bind((server, 69)).expect("TFTP's port of an own address");
    let held = format!("UDP 69 of {server} is held by ");
    let pid = format!("(pid {})", std::process::id());
    doctor(&bench, &[]).assert_fault("tftp-port", "infrastructure", &[&held, &pid, "end that program"]);
}

#[test]
fn ports_that_runs_can_do_without_are_warnings() {
    let bench = Testbench::new();
    let server = bench.addresses().server;
    let _taken = UdpSocket::bind((server, 123)).expect("SNTP's port of an own address");
    doctor(&bench, &[]).assert_warning("sntp-port", &["boards keep the time that the agent gives them"]);
}

#[test]
fn an_address_that_is_not_of_this_pc_is_found() {
    let bench = Testbench::new();
    let text = bench.to_toml().replace(&bench.addresses().server.to_string(), "192.0.2.1");
    let found = doctor(&bench.bench_text(&text), &[]);
    found.assert_fault(
        "network-address",
        "bench",
        &["192.0.2.1 is no address of this PC", "`[network] address`"],
    );
}

#[test]
fn a_bench_without_an_address_is_found() {
    let bench = Testbench::new();
    let server = bench.addresses().server;
    let text = bench.to_toml().replace(&format!("[network]\naddress = \"{server}\"\n"), "");
    doctor(&bench.bench_text(&text), &[]).assert_fault("network-address", "bench", &["add `[network]`"]);
}

#[test]
fn a_board_with_this_pc_s_own_address_is_found() {
    let bench = Testbench::new();
    let text = bench.to_toml().replace(&bench.addresses().board.to_string(), "127.0.0.1");
    doctor(&bench.bench_text(&text), &[]).assert_fault(
        "board-address",
        "bench",
        &["127.0.0.1 is this PC's own, on lo"],
    );
}

#[test]
fn a_board_in_another_network_is_a_warning() {
    let bench = Testbench::new();
    let text = bench.to_toml().replace(&bench.addresses().board.to_string(), "192.0.2.7");
    doctor(&bench.bench_text(&text), &[])
        .assert_warning("board-address", &["192.0.2.7 is not in the network of 127"]);
}

#[test]
fn a_missing_agent_is_found() {
    let bench = Testbench::new();
    fs::remove_file(bench.path().join("agent/x86_64/lava-agent")).expect("an own file");
    let found = doctor(&bench, &[]);
    found.assert_fault(
        "agent",
        "bench",
        &["there is none for x86_64", "cargo xtask agent", "`[agent] directory`"],
    );
}

#[test]
fn a_missing_power_program_is_found() {
    let bench = Testbench::new();
    let text = bench.to_toml().replace("off = [\"sh\"", "off = [\"no-such-relay\"");
    let found = doctor(&bench.bench_text(&text), &[]);
    found.assert_fault(
        "programs",
        "bench",
        &["`no-such-relay` is not there", "the power command `off`", "in PATH"],
    );
}

#[test]
fn a_clock_that_nothing_sets_is_a_warning() {
    let bench = Testbench::new();
    let directory = bench.path().join("programs");
    fs::create_dir(&directory).expect("an own directory");
    let program = bench.write("programs/timedatectl", "#!/bin/sh\necho no\n");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("an own file");
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default());
    let found = doctor(&bench.environment("PATH", &path), &[]);
    found.assert_warning("clock", &["nothing synchronises it", "timedatectl set-ntp true"]);
}

#[test]
fn a_password_that_everybody_may_read_is_told() {
    let bench = Testbench::new();
    let head = bench.to_toml().split("[boards.fake1.power]").next().unwrap_or_default().to_owned();
    let nobody = format!("{}:9", bench.addresses().board);
    let (host, port) = nobody.split_once(':').expect("a port");
    let power =
        format!("driver = \"shelly\"\nhost = \"{host}\"\nport = {port}\nrelay = 0\npassword = \"s3cret\"\n");
    let bench = bench.bench_text(&format!("{head}[boards.fake1.power]\n{power}"));
    let path = bench.write("bench.toml", bench.to_toml());
    for (mode, is_told) in [(0o644, true), (0o640, false)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("an own file");
        let shown = bench.start_with(&["doctor"]).finish();
        let told = shown
            .stdout
            .contains("may read the passwords in bench.toml\n         help: `chmod o-r bench.toml`");
        assert_eq!(told, is_told, "{mode:o}: {shown}");
        assert!(!shown.stdout.contains("s3cret"), "{shown}");
    }
}

#[test]
fn of_boards_that_are_not_named_nothing_is_said() {
    let bench = Testbench::new();
    let others = "\n[boards.other]\ntype = \"board-type.toml\"\nconsole = [\"no-such-console\"]\n\
        [boards.far]\ntype = \"board-type.toml\"\nconsole = \"none\"\n";
    let toml = bench.to_toml() + others;
    let bench = bench.bench_text(&toml);
    bench.write("bench.toml", bench.to_toml());
    let all = bench.start_with(&["doctor"]).finish();
    assert!(all.stdout.contains("  other: `no-such-console` is not there"), "{all}");
    assert!(
        all.stdout.contains("; no board was tried: `host-runner doctor fake1` tries one, `--boards` all"),
        "{all}"
    );
    let one = bench.start_with(&["doctor", "far"]).finish();
    assert_eq!(one.code, Some(0), "{one}");
    assert!(!one.stdout.contains("other: ") && !one.stdout.contains("fake1: "), "{one}");
    assert!(one.stdout.contains("help: `host-runner ssh far` logs in"), "{one}");
    assert!(one.stdout.contains(": no fault, by ") && one.stdout.contains("; not tried: far\n"), "{one}");
}
