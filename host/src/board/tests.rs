//! Bench files and board types, good and bad.

use std::path::Path;
use std::time::Duration;

use crate::board::{Bench, BenchError, Board, BoardType, ConsoleTarget, UbootSettings, VirtualNetwork};
use crate::diagnostic::Source;
use crate::job::BootImage;
use crate::link::Target;

fn parse(text: &str) -> Result<Bench, BenchError> {
    Bench::parse(&Source::new("bench.toml", text), Path::new("/bench"))
}

fn board<'a>(bench: &'a Bench, name: &str) -> &'a Board {
    bench.boards.iter().find(|board| board.name == name).unwrap()
}

fn problems(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

const GOOD: &str = r#"
[network]
address = "192.168.7.1"
[virtual_network]
address = "10.88.0.1/16"
[agent]
directory = "../agent"
[cache]
directory = "/var/cache/runner"
[rootfs]
budget_mb = 2048
directory = "rootfs"
[[mirror]]
from = "https://files.example.org/"
to = "files/"
[[mirror]]
from = "https://files.example.org/bbb/"
to = "https://mirror.example.org/"
[[mirror]]
from = "git://git.example.org/tests.git"
to = "git/tests.git"
[boards.vb1]
type = "qemu-virt-arm"
device_types = ["beaglebone-black"]
console = "qemu"
address = "10.88.3.2"
[boards.vb1.qemu]
initrd = "initrd.img"
memory_mb = 256
[boards.vb1.rootfs]
budget_mb = 100
[boards.bbb1]
type = "beaglebone-black"
console = "/dev/ttyUSB0"
baud = 57600
linux_console = "ttyO0"
[boards.bbb1.power]
reset = ["relay", "pulse", "3"]
[boards.bbb1.uboot]
prompts = ["U-Boot#"]
character_delay_ms = 5
commands.usb = ["usb start"]
[boards.bbb2]
type = "beaglebone-black"
console = "telnet://[::1]:2001"
[boards.bbb3]
type = "beaglebone-black"
console = ["picocom", "-q", "/dev/ttyUSB3"]
"#;

#[test]
fn tests_are_told_what_the_bench_file_knows_of_a_board() {
    let text = "
[boards.bbb1]
type = 'beaglebone-black'
console = '/dev/ttyUSB0'
address = '192.168.7.2'
[boards.bbb1.info]
mac = '6c:ec:eb:00:00:01'
probe_ip = '192.168.7.9'
probe_channel = '3'
storage = { UMS = '/dev/disk/by-id/usb-1', SATA = '/dev/sda' }
[boards.bbb2]
type = 'beaglebone-black'
console = '/dev/ttyUSB1'
";
    let bench = parse(text).unwrap();
    let variables = |name| {
        let variables = board(&bench, name).test_variables();
        variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let expected = [
        "LAVA_TARGET_IP=192.168.7.2",
        "LAVA_TARGET_MAC=6c:ec:eb:00:00:01",
        "LAVA_TARGET_STORAGE=UMS=/dev/disk/by-id/usb-1 SATA=/dev/sda",
        "LAVA_PROBE_IP=192.168.7.9",
        "LAVA_PROBE_CHANNEL=3",
    ];
    assert_eq!(variables("bbb1"), expected);
    assert!(variables("bbb2").is_empty());
    let problems = problems(&text.replace("'/dev/sda'", "'a disk'"));
    assert!(problems.contains("`SATA` must not have spaces"), "{problems}");
}

#[test]
fn a_full_bench_file_is_read() {
    let bench = parse(GOOD).unwrap();
    assert_eq!(bench.address, Some([192, 168, 7, 1].into()));
    assert_eq!(bench.virtual_network, VirtualNetwork { address: [10, 88, 0, 1].into(), prefix: 16 });
    assert_eq!(bench.agent_directory.as_deref(), Some(Path::new("/bench/../agent")));
    assert_eq!(bench.cache_directory.as_deref(), Some(Path::new("/var/cache/runner")));
    assert_eq!(bench.rootfs_directory.as_deref(), Some(Path::new("/bench/rootfs")));
    let board = |name| board(&bench, name);
    let qemu = board("vb1").qemu().unwrap();
    assert_eq!(qemu.initrd.as_deref(), Some(Path::new("/bench/initrd.img")));
    assert_eq!((qemu.memory_mb, board("vb1").ssh_port), (256, 22));
    let serial = Target::Serial { path: "/dev/ttyUSB0".into(), baud: 57600 };
    assert_eq!(board("bbb1").console, ConsoleTarget::Line(serial));
    assert_eq!(
        (board("bbb1").linux_console.device.as_str(), board("bbb1").linux_console.baud),
        ("ttyO0", 57600)
    );
    assert_eq!(board("bbb1").power.as_ref().unwrap().commands().unwrap().reset, [["relay", "pulse", "3"]]);
    let telnet = Target::Telnet { host: "::1".to_owned(), port: 2001 };
    assert_eq!(board("bbb2").console, ConsoleTarget::Line(telnet));
    assert_eq!(board("bbb2").device_types, ["beaglebone-black"]);
    let command = ["picocom", "-q", "/dev/ttyUSB3"].map(str::to_owned).to_vec();
    assert_eq!(board("bbb3").console, ConsoleTarget::Line(Target::Command(command)));
}

#[test]
fn a_power_key_may_have_several_commands() {
    let power = "
[boards.a]
type = 'beaglebone-black'
console = '/dev/ttyUSB0'
[boards.a.power]
on = [['relay', 'on'], ['hub', 'on', '3']]
off = ['relay', 'off']
";
    let bench = parse(power).unwrap();
    let commands = board(&bench, "a").power.as_ref().unwrap().commands().unwrap();
    assert_eq!((commands.on.concat(), commands.on.len()), (strings(&["relay", "on", "hub", "on", "3"]), 2));
    assert_eq!(commands.off, [strings(&["relay", "off"])]);
    let told = problems(&power.replace("['hub', 'on', '3']", "'hub'"));
    assert!(told.contains("`on` must be a list of a program and its arguments, not text"), "{told}");
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn a_board_has_variables_and_ways_to_restart_of_its_own() {
    let text = "
[boards.a]
type = 'beaglebone-black'
console = '/dev/ttyUSB0'
environment = { RACK = '3', EMPTY = '' }
linux = { soft_reboot = ['reboot', 'reboot -f'] }
";
    let bench = parse(text).unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(board(&bench, "a").environment, [pair("RACK", "3"), pair("EMPTY", "")]);
    assert_eq!(board(&bench, "a").linux.soft_reboot, ["reboot", "reboot -f"]);
    let told = problems(&text.replace("RACK", "RACK-NO"));
    assert!(told.contains("`RACK-NO` cannot be the name of a shell variable"), "{told}");
}

#[test]
fn a_kind_of_image_may_have_addresses_of_its_own() {
    let text = "
[boards.a]
type = 'beaglebone-black'
console = '/dev/ttyUSB0'
[boards.a.uboot.addresses.uimage]
kernel_addr = '0x80200000'
ramdisk_addr = '0x81600000'
dtb_addr = '0x815f0000'
";
    let bench = parse(text).unwrap();
    let uboot = board(&bench, "a").uboot.as_ref().unwrap();
    assert_eq!(uboot.addresses(BootImage::Uimage).kernel, "0x80200000");
    assert_eq!(uboot.addresses(BootImage::Uimage).dtb, "0x815f0000");
    assert_eq!(uboot.addresses(BootImage::Zimage).kernel, uboot.kernel_addr);
    let variable = parse(&text.replace("'0x80200000'", "'${loadaddr}'")).unwrap();
    let uboot = board(&variable, "a").uboot.as_ref().unwrap();
    assert_eq!(uboot.addresses(BootImage::Uimage).kernel, "${loadaddr}");
    assert!(
        problems(&text.replace("'0x80200000'", "'${load addr}'"))
            .contains("`kernel_addr` must be an address")
    );
    let told = problems(&text.replace("uimage", "vmlinux"));
    assert!(told.contains("`addresses` has no key `vmlinux`"), "{told}");
    let told = problems(&text.replace("dtb_addr = '0x815f0000'", ""));
    assert!(told.contains("`uimage` needs `dtb_addr`"), "{told}");
}

#[test]
fn a_boards_own_budget_wins_over_the_benchs_and_that_over_the_default() {
    let bench = parse(GOOD).unwrap();
    assert_eq!(
        (board(&bench, "vb1").rootfs_budget, board(&bench, "bbb1").rootfs_budget),
        (100 << 20, 2 << 30)
    );
    let without = parse(&GOOD.replace("budget_mb = 2048\n", "")).unwrap();
    assert_eq!(board(&without, "bbb1").rootfs_budget, 8 << 30);
    for budget in ["0", "4194305", "'1'"] {
        let told = problems(&GOOD.replace("budget_mb = 100", &format!("budget_mb = {budget}")));
        assert!(told.contains("budget_mb"), "{told}");
    }
}

#[test]
fn a_boards_own_uboot_settings_win_over_its_types() {
    let bench = parse(GOOD).unwrap();
    let uboot = |name| board(&bench, name).uboot.as_ref().unwrap();
    let (own, plain) = (uboot("bbb1"), uboot("bbb2"));
    assert_eq!(
        (own.prompts.as_slice(), own.character_delay),
        (["U-Boot#".to_owned()].as_slice(), Duration::from_millis(5))
    );
    assert_eq!(own.kernel_addr, plain.kernel_addr);
    assert_eq!(own.commands.keys().collect::<Vec<_>>(), ["nfs", "ramdisk", "usb"]);
    assert_eq!(plain.commands.keys().collect::<Vec<_>>(), ["nfs", "ramdisk"]);
}

#[test]
fn the_longest_mirror_rule_decides_where_a_url_leads() {
    let bench = parse(GOOD).unwrap();
    for (url, from) in [
        ("https://files.example.org/a/b", "/bench/files/a/b"),
        ("https://files.example.org/bbb/zImage", "https://mirror.example.org/zImage"),
        ("git://git.example.org/tests.git", "/bench/git/tests.git"),
        ("https://other.example.org/x", "https://other.example.org/x"),
    ] {
        assert_eq!(bench.mirrors.rewrite(url), from);
    }
}

#[test]
fn every_built_in_board_type_is_valid_and_named_after_its_file() {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../boards"));
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let board_type = BoardType::parse(&Source::read(&path).unwrap()).unwrap_or_else(|p| panic!("{p}"));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), board_type.name);
        assert!(BoardType::built_in(&board_type.name).is_some(), "{} is not built in", board_type.name);
        // Boards that are reached over SSH have no U-Boot.
        let has_lists =
            |uboot: UbootSettings| ["nfs", "ramdisk"].iter().all(|name| uboot.commands.contains_key(*name));
        assert!(board_type.uboot.is_none_or(has_lists));
        files += 1;
    }
    assert_eq!(files, BoardType::built_in_names().count());
}

#[test]
fn all_problems_of_a_bench_file_are_told_at_once() {
    insta::assert_snapshot!(problems(r#"
[netwrok]
address = "192.168.7.1"
[virtual_network]
address = "10.77.0.1"
[boards.bbb1]
type = "beaglebone-blak"
consol = "/dev/ttyUSB0"
power = { on = "relay on", of = ["relay", "off"] }
[boards.vb1]
type = "qemu-virt-arm"
console = "qemu"
baud = 9600
address = "192.168.1.2"
[boards.vb2]
type = "qemu-virt-arm"
console = "serial"
uboot = { kernel_addr = "high", prompts = ["("] }
"#), @r"
    bench.toml:2:2: error[unknown-key]: `bench` has no key `netwrok` (did you mean `network`?)
    bench.toml:5:11: error[invalid-address]: `10.77.0.1` is not an address with a prefix such as `10.77.0.1/24`
    bench.toml:7:8: error[unknown-board-type]: there is no board type `beaglebone-blak` (did you mean `beaglebone-black`?)
    bench.toml:8:1: error[unknown-key]: `bbb1` has no key `consol` (did you mean `console`?)
    bench.toml:9:9: error[missing-key]: `power` needs `reset`, or both `on` and `off`
    bench.toml:9:16: error[wrong-type]: `on` must be a list of a program and its arguments, not text
    bench.toml:9:28: error[unknown-key]: `power` has no key `of` (did you mean `off`?)
    bench.toml:13:1: error[invalid-console]: `baud` is only for a console that is a device
    bench.toml:14:1: error[invalid-address]: `192.168.1.2` is not free in the virtual boards' network 10.77.0.1/24
    bench.toml:17:11: error[invalid-console]: `serial` is not a console (write a device such as `/dev/ttyUSB0`, `tcp://host:port`, `telnet://host:port`, a list of a command and its arguments, or `qemu`)
    bench.toml:18:25: error[invalid-address]: `kernel_addr` must be an address such as `0x82000000`, or a variable such as `${loadaddr}`
    bench.toml:18:44: error[invalid-regex]: `prompts` is not a regular expression: unclosed group (escape characters that have a meaning in regular expressions with `\`)
    ");
}

#[test]
fn boards_cannot_share_a_console_or_an_address() {
    insta::assert_snapshot!(problems(r#"
[boards.a]
type = "beaglebone-black"
console = "tcp://server:2000"
address = "10.0.0.2"
[boards.b]
type = "beaglebone-black"
console = "tcp://server:2000"
address = "10.0.0.2"
"#), @"
    bench.toml:6:9: error[duplicate-board]: boards `a` and `b` have the same `console`
    bench.toml:6:9: error[duplicate-board]: boards `a` and `b` have the same `address`
    ");
}

#[test]
fn text_that_is_not_toml_has_a_place() {
    insta::assert_snapshot!(problems("[boards.a]\ntype = \n"), @"
    bench.toml:2:8: error[toml-syntax]: string values must be quoted, expected literal string
    ");
}

#[test]
fn problems_of_a_board_type_file_are_told_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine.toml"), "name = \"mine\"\narch = \"armv8\"\n").unwrap();
    let text = "[boards.a]\ntype = \"mine.toml\"\nconsole = \"/dev/ttyS0\"\n[boards.b]\ntype = \"none.toml\"\nconsole = \"/dev/ttyS1\"\n";
    let error = Bench::parse(&Source::new("bench.toml", text), directory.path()).unwrap_err();
    let text = error.to_string().replace(&*directory.path().to_string_lossy(), "DIR");
    insta::assert_snapshot!(text, @"
    bench.toml:5:8: error[unreadable-board-type]: cannot read `DIR/none.toml`: No such file or directory (os error 2)
    DIR/mine.toml:1:1: error[missing-key]: `board type` needs `console`
    DIR/mine.toml:1:1: error[missing-key]: `board type` needs `linux`
    DIR/mine.toml:2:8: error[unknown-value]: `arch` cannot be `armv8` (did you mean `armv7`? it is one of `armv7`, `aarch64`, `x86_64`, `riscv64`)
    ");
}

#[test]
fn u_boots_tests_write_to_real_boards_alone() {
    insta::assert_snapshot!(problems(r#"
[boards.a]
type = "qemu-virt-arm"
console = "qemu"
address = "10.77.0.2"
[boards.a.u_boot_test]
flash = ["dd"]
[boards.b]
type = "beaglebone-black"
console = "/dev/ttyS0"
[boards.b.u_boot_test]
flash = []
flash_timeout_s = 0
flush = 1
"#), @"
    bench.toml:7:1: error[exclusive-keys]: a virtual board has no `flash`: it starts `u-boot.bin` of the build directory
    bench.toml:12:9: error[empty-value]: `flash` names no program
    bench.toml:13:19: error[out-of-range]: `flash_timeout_s` must be from 1 to 3600, not 0
    bench.toml:14:1: error[unknown-key]: `u_boot_test` has no key `flush` (did you mean `flash`?)
    ");
}
