//! `host-runner doctor`: each planted fault is found, and a healthy bench has none.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;
use testbench::fake_board::PtyPair;
use testbench::harness::{
    BOARD, Finished, OrdinaryUser, Testbench, host_runner, on_outlet, target_directory,
};

/// What `doctor` has found.
struct Found {
    findings: Vec<Value>,
    code: Option<i32>,
    all: String,
}

impl Found {
    fn of(finished: &Finished) -> Self {
        Self::new(&finished.stdout, finished.code, finished.to_string())
    }

    fn new(stdout: &str, code: Option<i32>, all: String) -> Self {
        let json =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{all}"));
        Self { findings: stdout.lines().map(json).collect(), code, all }
    }

    /// Those that are no `ok` and not unknown, each as check, status and class.
    fn bad(&self) -> Vec<(&str, &str, &str)> {
        self.findings
            .iter()
            .filter(|finding| !matches!(finding["status"].as_str(), Some("ok" | "unknown")))
            .map(|finding| {
                let get = |key: &str| finding[key].as_str().unwrap_or_default();
                (get("check"), get("status"), get("class"))
            })
            .collect()
    }

    /// The one finding of `check` that is not ok: message and help say all of `texts`, and the exit code is that of its class.
    fn assert_fault(&self, check: &str, class: &str, texts: &[&str]) {
        assert_eq!(self.bad(), [(check, "fault", class)], "{}", self.all);
        let expected = if class == "bench" { 4 } else { 3 };
        assert_eq!(self.code, Some(expected), "{}", self.all);
        self.assert_says(check, texts);
    }

    fn assert_warning(&self, check: &str, texts: &[&str]) {
        assert_eq!(self.bad(), [(check, "warning", "")], "{}", self.all);
        assert_eq!(self.code, Some(0), "{}", self.all);
        self.assert_says(check, texts);
    }

    fn assert_says(&self, check: &str, texts: &[&str]) {
        let finding = self
            .findings
            .iter()
            .rev()
            .find(|finding| finding["check"] == check && !matches!(finding["status"].as_str(), Some("ok")))
            .unwrap_or_else(|| panic!("no {check}: {}", self.all));
        let said = format!("{}\n{}", finding["message"], finding["help"]);
        for text in texts {
            assert!(said.contains(text), "no {text:?} in {said}");
        }
    }

    /// What is said of `check` where it is as it should be.
    fn ok(&self, check: &str) -> &str {
        let is_ok = |finding: &&Value| finding["check"] == check && finding["status"] == "ok";
        let found = self.findings.iter().find(is_ok);
        found
            .and_then(|finding| finding["message"].as_str())
            .unwrap_or_else(|| panic!("{check}: {}", self.all))
    }
}

/// Runs `doctor --json` with more `arguments`.
fn doctor(bench: &Testbench, arguments: &[&str]) -> Found {
    bench.write("bench.toml", bench.to_toml());
    Found::of(&bench.start_with(&[&["doctor", "--json"], arguments].concat()).finish())
}

/// What is found of a board with this fault.
fn of_board(fault: &str, arguments: &[&str]) -> Found {
    let (bench, outlet) = on_outlet(Testbench::new().fault(fault), |power| power);
    let found = doctor(&bench, &[&[BOARD], arguments].concat());
    assert!(!outlet.is_on().expect("a file"), "the board is left off");
    found
}

#[test]
fn a_healthy_bench_has_no_fault_and_no_board_of_it_is_touched() {
    let bench = Testbench::new();
    let found = doctor(&bench, &[]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    let (server, board) = (bench.addresses().server, bench.addresses().board);
    assert!(found.ok("network-address").starts_with(&format!("{server}/8 on lo")), "{}", found.all);
    assert_eq!(found.ok("board-address"), board.to_string());
    assert_eq!(found.ok("tftp-port"), format!("UDP 69 of {server} is free"));
    assert_eq!(found.ok("nfs-server"), format!("NFS and MOUNT answer at {server}"));
    for check in ["bench-file", "nfs-port", "port-mapper", "sntp-port", "disk", "agent", "programs"] {
        found.ok(check);
    }
    let shown = bench.start_with(&["doctor"]).finish();
    assert!(shown.stdout.contains("all well, by "), "{shown}");
    assert!(
        shown.stdout.lines().any(|line| line.starts_with("ok       TFTP port      bench: UDP 69")),
        "{shown}"
    );
    assert!(!shown.stdout.contains('\u{1b}'), "no colours where no terminal is: {shown}");
    assert!(shown.power().is_empty(), "no power is switched");
}

#[test]
fn a_healthy_board_is_switched_and_fetches_a_file() {
    let (bench, outlet) = on_outlet(Testbench::new(), |power| power);
    let found = doctor(&bench, &[BOARD]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    assert_eq!(found.ok("power-off"), "the console is quiet, and does not answer");
    assert_eq!(found.ok("speed"), "what it says is text");
    assert!(found.ok("uboot").starts_with("at its prompt after "), "{}", found.all);
    assert_eq!(found.ok("uboot-network"), format!("U-Boot has {}", bench.addresses().board));
    assert!(found.ok("tftp").starts_with("a file of 65536 bytes arrived whole (CRC-32 "), "{}", found.all);
    assert!(!outlet.is_on().expect("a file"), "the board is left off");
    drop(outlet);
    let again = doctor(&bench, &["--boards"]);
    again.assert_fault("console", "infrastructure", &["ttyBOARD is not there", "is the adapter plugged in?"]);
}

#[test]
fn a_bench_file_with_a_problem_is_a_finding_too() {
    let bench = Testbench::new().board_line("baud = 'fast'");
    let found = doctor(&bench, &[]);
    found.assert_fault("bench-file", "bench", &["baud"]);
}

#[test]
fn a_serial_port_that_is_not_there_is_found() {
    let found = doctor(&Testbench::new().console("\"/dev/serial/by-id/usb-none\""), &[]);
    found.assert_fault(
        "console",
        "infrastructure",
        &["/dev/serial/by-id/usb-none is not there", "plugged in"],
    );
    let bench = Testbench::new();
    let link = bench.path().join("ttyGONE");
    std::os::unix::fs::symlink("/dev/ttyNONE9", &link).expect("an own directory");
    let found = doctor(&bench.console(&format!("{:?}", link.display().to_string())), &[]);
    found.assert_fault("console", "infrastructure", &["ttyGONE leads to /dev/ttyNONE9, which is not there"]);
}

#[test]
fn a_console_that_is_a_file_is_found() {
    let bench = Testbench::new();
    let file = bench.write("ttyFILE", "");
    let found = doctor(&bench.console(&format!("{:?}", file.display().to_string())), &[]);
    found.assert_fault("console", "bench", &["is a file and no serial port"]);
}

#[test]
fn a_serial_port_that_another_program_has_is_found_with_the_program() {
    let bench = Testbench::new();
    let port = bench.path().join("ttyBUSY");
    let _pair = PtyPair::linked(&port).expect("a pseudo-terminal");
    let bench = bench.console(&format!("{:?}", port.display().to_string()));
    assert_eq!(doctor(&bench, &[]).bad(), []);
    let other = File::options().read(true).write(true).open(&port).expect("a pseudo-terminal");
    let held = format!("(pid {})", std::process::id());
    doctor(&bench, &[]).assert_fault(
        "console",
        "infrastructure",
        &["is held by ", &held, "first: one program at a time"],
    );
    drop(other);
}

#[test]
fn an_unusual_speed_is_a_warning() {
    let bench = Testbench::new();
    let port = bench.path().join("ttyODD");
    let _pair = PtyPair::linked(&port).expect("a pseudo-terminal");
    let bench = bench.console(&format!("{:?}", port.display().to_string())).board_line("baud = 115201");
    doctor(&bench, &[])
        .assert_warning("console", &["115201 baud", "an unusual speed", "`baud` in `[boards.fake1]`"]);
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
fn a_firewall_that_drops_tftp_is_a_warning() {
    let bench = Testbench::new();
    let directory = bench.path().join("programs");
    fs::create_dir(&directory).expect("an own directory");
    let rules =
        "table inet filter {\n chain input {\n type filter hook input priority filter; policy drop;\n }\n}";
    let program = bench.write("programs/nft", format!("#!/bin/sh\ncat <<'END'\n{rules}\nEND\n"));
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("an own file");
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default());
    let found = doctor(&bench.environment("PATH", &path), &[]);
    found.assert_warning("firewall", &["chain `input` of table `inet filter` drops", "on lo"]);
}

/// Runs `doctor --json` as an ordinary user, whose own the bench's directory is.
fn doctor_as(user: OrdinaryUser, bench: &Testbench) -> Found {
    bench.write("bench.toml", bench.to_toml());
    // Cargo's directory may be where others cannot go.
    let there = bench.path().join("target");
    fs::create_dir(&there).expect("an own directory");
    let user = user.with_directory(&target_directory(), &there);
    user.own(bench.path());
    let program = host_runner().strip_prefix(target_directory()).expect("it is there");
    let output = user
        .command(&there.join(program))
        .args(["doctor", "--json"])
        .current_dir(bench.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", bench.path().join("home"))
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    Found::new(&stdout, output.status.code(), format!("{stdout}\n{stderr}"))
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

#[test]
fn a_board_at_another_speed_is_found_by_the_share_of_noise() {
    let found = of_board("garbage", &["--timeout", "3"]);
    found.assert_fault(
        "speed",
        "bench",
        &["115200 baud is the wrong speed", " % of 512 bytes are no text", "`baud`"],
    );
}

#[test]
fn a_silent_board_is_found() {
    let found = of_board("silent", &["--timeout", "3"]);
    found.assert_fault(
        "power-on",
        "infrastructure",
        &["the board is silent", "within 3 s", "the adapter's TX"],
    );
}

#[test]
fn a_uboot_without_a_prompt_is_found_with_what_it_said_last() {
    let found = of_board("no-prompt", &["--timeout", "3"]);
    let said = ["no prompt: ", "autoboot prompt", "eth0: ethernet@4a100000", "`[boards.fake1.uboot]`"];
    found.assert_fault("uboot", "infrastructure", &said);
    assert_eq!(found.ok("power-on"), "the board begins to talk");
}

#[test]
fn power_that_does_not_switch_is_found_by_a_board_that_still_answers() {
    let spoilt = |power: String| {
        let lines = power.lines().filter(|line| line.starts_with("on "));
        format!("{}\noff = [\"true\"]\n", lines.collect::<Vec<_>>().join("\n"))
    };
    let (bench, outlet) = on_outlet(Testbench::new(), spoilt);
    fs::write(bench.path().join("outlet"), "on").expect("an own file");
    let found = doctor(&bench, &[BOARD]);
    let said = [
        "the power does not switch",
        "after it was switched off the board answers",
        "`[boards.fake1.power]`",
    ];
    found.assert_fault("power-off", "infrastructure", &said);
    drop(outlet);
}

#[test]
fn power_that_does_not_switch_is_found_by_the_switch_itself() {
    let (bench, _outlet) = on_outlet(Testbench::new(), |power| power.replace("echo on", "echo off"));
    let found = doctor(&bench, &[BOARD]);
    found.assert_fault("power-on", "infrastructure", &["it was switched on, and its status is `off`"]);
}

#[test]
fn blocked_tftp_is_found_with_what_the_server_has_seen() {
    let found = of_board("tftp-blocked", &[]);
    found.assert_fault(
        "tftp",
        "infrastructure",
        &["Retry count exceeded", "no request has reached 127", "nft list ruleset"],
    );
}

#[test]
fn a_file_that_is_damaged_on_the_way_is_found() {
    of_board("tftp-damage", &[]).assert_fault(
        "tftp",
        "infrastructure",
        &["the file arrived damaged: CRC-32 "],
    );
}

#[test]
fn a_board_with_another_address_than_the_bench_file_s_is_found() {
    let (bench, _outlet) = on_outlet(Testbench::new(), |power| power);
    let board = bench.addresses().board;
    let [a, b, c, _] = board.octets();
    let other = Ipv4Addr::new(a, b, c, 3);
    let text = bench.to_toml().replace(&format!("address = \"{board}\""), &format!("address = \"{other}\""));
    let found = doctor(&bench.bench_text(&text), &[BOARD]);
    assert_eq!((found.bad()[0], found.code), (("uboot-network", "fault", "bench"), Some(4)), "{}", found.all);
    found.assert_says("uboot-network", &[&format!("U-Boot has {board}, and the bench file says {other}")]);
    found.assert_says(
        "tftp",
        &[&format!("{board} has asked, and the bench file says that the board is {other}")],
    );
}

#[test]
fn a_board_that_another_command_has_is_not_touched() {
    let (bench, outlet) = on_outlet(Testbench::new().fault("no-prompt"), |power| power);
    bench.write("bench.toml", bench.to_toml());
    let first = bench.start_with(&["doctor", BOARD]);
    first.wait_for("power off");
    let second = doctor(&bench, &[BOARD]);
    second.assert_says("lease", &["is in use by `host-runner doctor`"]);
    assert_eq!(second.code, Some(3), "{}", second.all);
    first.signal(rustix::process::Signal::TERM);
    let first = first.finish();
    assert_eq!(first.code, Some(5), "{first}");
    assert!(!outlet.is_on().expect("a file"), "cancelled, the board is off all the same");
}
