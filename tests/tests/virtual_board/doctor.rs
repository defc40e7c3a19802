//! `host-runner doctor` of a virtual board: a real U-Boot fetches the test file, or cannot.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testbench::harness::host_runner;

use crate::lab::{FIRMWARE, assert_tun_is_usable};

/// What `doctor --json vb1` says of a board with `more` in its table, and its exit code.
fn doctor(more: &str) -> (Vec<Value>, Option<i32>) {
    assert_tun_is_usable();
    let home = TempDir::with_prefix_in("doctor-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bench = format!(
        "[boards.vb1]\ntype = 'qemu-virt-arm'\narch = 'armv7'\nconsole = 'qemu'\naddress = '10.77.0.2'\n\
         [boards.vb1.qemu]\nfirmware = '{FIRMWARE}'\nmemory_mb = 256\n{more}"
    );
    fs::write(home.path().join("bench.toml"), bench).unwrap();
    let output = Command::new(host_runner())
        .args(["doctor", "--json", "--timeout", "200", "vb1"])
        .current_dir(home.path())
        .env("HOME", home.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let findings =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    // Whether the agent was built is no matter here.
    let of_board =
        findings.filter(|finding: &Value| finding["about"] == "vb1" && finding["check"] != "agent");
    let of_board: Vec<_> = of_board.collect();
    assert!(!of_board.is_empty(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    (of_board, output.status.code())
}

/// The findings of `status`, each as check and message.
fn with_status<'f>(findings: &'f [Value], status: &str) -> Vec<(&'f str, &'f str)> {
    let text = |finding: &'f Value, key: &str| finding[key].as_str().unwrap_or_default();
    let found = findings.iter().filter(|finding| finding["status"] == status);
    found.map(|finding| (text(finding, "check"), text(finding, "message"))).collect()
}

#[test]
fn a_virtual_board_is_healthy() {
    let (findings, _) = doctor("");
    assert_eq!(with_status(&findings, "fault"), [], "{findings:?}");
    let ok = with_status(&findings, "ok");
    assert!(ok.contains(&("uboot-network", "U-Boot has 10.77.0.2")), "{findings:?}");
    let fetched =
        ok.iter().any(|(check, text)| *check == "tftp" && text.contains("65536 bytes arrived whole"));
    assert!(fetched, "{findings:?}");
}

#[test]
fn a_file_that_a_virtual_board_cannot_have_is_found() {
    let commands = "[boards.vb1.uboot]\ncommands = { nfs = ['setenv autoload no', 'setenv ipaddr {BOARD_IP}', \
                    'setenv serverip {SERVER_IP}', 'tftp {KERNEL_ADDR} other-{KERNEL}'] }\n";
    let (findings, code) = doctor(commands);
    let faults = with_status(&findings, "fault");
    assert_eq!(faults.len(), 1, "{findings:?}");
    assert!(faults[0].0 == "tftp" && faults[0].1.contains("no such file"), "{findings:?}");
    assert_eq!(code, Some(3), "{findings:?}");
}

#[test]
fn a_virtual_board_with_another_address_is_found() {
    let commands = "[boards.vb1.uboot]\ncommands = { nfs = ['setenv autoload no', 'setenv ipaddr 10.77.0.77', \
                    'setenv serverip {SERVER_IP}', 'setenv tftptimeout 1000', 'setenv tftptimeoutcountmax 2', \
                    'tftp {KERNEL_ADDR} {KERNEL}'] }\n";
    let (findings, code) = doctor(commands);
    let faults = with_status(&findings, "fault");
    let address = "U-Boot has 10.77.0.77, and the bench file says 10.77.0.2: nothing is served to 10.77.0.77";
    assert_eq!(faults[0], ("uboot-network", address), "{findings:?}");
    assert_eq!((faults[1].0, faults.len(), code), ("tftp", 2, Some(4)), "{findings:?}");
    let help = findings.iter().find(|finding| finding["check"] == "tftp").unwrap()["help"].to_string();
    assert!(help.contains("10.77.0.77 has asked"), "{help}");
}
