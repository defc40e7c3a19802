//! A board that is tried: U-Boot, its network, TFTP.

use std::net::Ipv4Addr;

use testbench::harness::{BOARD, Definition, Job, Testbench, on_outlet};

use super::{doctor, of_board};

#[test]
fn a_healthy_board_is_switched_and_fetches_a_file() {
    let (bench, outlet) = on_outlet(Testbench::new(), |power| power);
    let found = doctor(&bench, &[BOARD]);
    assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
    assert_eq!(found.ok("reset"), "by commands; its status is `on`");
    assert_eq!(
        found.ok("power-off"),
        "the board answered the Enter key, and does not any more, and its status is `off`"
    );
    found.assert_says("board-nfs", &["before its kernel runs"]);
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
fn a_board_at_another_speed_is_found_by_the_share_of_noise() {
    let found = of_board("garbage", &["--timeout", "3"]);
    found.assert_fault(
        "speed",
        "bench",
        &[
            "115200 baud is probably the wrong speed: ",
            " % of what came lately, 512 bytes in all, is no text",
            "`baud`",
        ],
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
    first.wait_for("reset ");
    let second = doctor(&bench, &[BOARD]);
    second.assert_says("lease", &["is in use by `host-runner doctor`"]);
    assert_eq!(second.code, Some(3), "{}", second.all);
    first.signal(rustix::process::Signal::TERM);
    let first = first.finish();
    assert_eq!(first.code, Some(5), "{first}");
    assert!(!outlet.is_on().expect("a file"), "cancelled, the board is off all the same");
}

/// The types for boards that have none of their own, each with its architecture.
const GENERAL: [(&str, &str); 2] = [
    (include_str!("../../../boards/u-boot-arm.toml"), "armv7"),
    (include_str!("../../../boards/u-boot-arm64.toml"), "aarch64"),
];

/// A bench whose board is of one of these types, with this PC's agent.
fn of_type((board_type, arch): (&str, &str)) -> Testbench {
    let bench = Testbench::new();
    let (before, after) = (format!("arch = \"{arch}\""), "arch = \"x86_64\"");
    assert!(board_type.contains(&before), "{board_type}");
    bench.write("board-type.toml", board_type.replace(&before, after));
    bench
}

#[test]
fn a_board_without_a_type_of_its_own_loads_where_its_own_variables_say() {
    for general in GENERAL {
        let (bench, _outlet) = on_outlet(of_type(general), |power| power);
        let found = doctor(&bench, &[BOARD]);
        assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
        assert!(found.ok("tftp").contains("arrived whole"), "{}", found.all);
    }
}

#[test]
fn a_board_without_a_type_of_its_own_runs_a_job() {
    let bench = of_type(GENERAL[0]);
    let job = Job::new().definitions(&[Definition::new("smoke", &["lava-test-case there --result pass"])]);
    let run = bench.run(&job);
    assert_eq!(run.code, Some(0), "{run}");
    let log = std::fs::read_to_string(bench.path().join("out/console/board.log")).expect("a log");
    assert!(log.contains("tftp ${kernel_addr_r} ") && log.contains("bootz ${kernel_addr_r} "), "{log}");
}
